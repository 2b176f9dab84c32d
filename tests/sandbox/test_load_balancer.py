"""The door of Elastic Load Balancing: names that lead somewhere, rules that route, health that is true."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import httpx
import pytest

from tests.sandbox.conftest import Laptop, access, until
from tests.sandbox.fleet import Fleet

Push = Callable[..., str]


@pytest.fixture
def fleet(laptop: Laptop, service_name: str) -> Iterator[Fleet]:
    """A fleet of the test's own."""
    own = Fleet(laptop, service_name)
    yield own
    own.web.close()


def health(fleet: Fleet, group: str) -> list[str]:
    described = fleet.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return [each["TargetHealth"]["State"] for each in described]


def test_a_load_balancer_has_its_address_from_the_beginning_and_keeps_it(fleet: Fleet) -> None:
    made = fleet.balancer["DNSName"]
    fleet.listener(fleet.group())

    described = fleet.elb.describe_load_balancers(Names=[fleet.name])["LoadBalancers"][0]

    assert described["DNSName"] == made
    assert fleet.web.get(f"http://{made}/").status_code == 503


def test_one_name_answers_http_with_a_redirect_and_https_with_the_service(fleet: Fleet, image: Push) -> None:
    group = fleet.group()
    fleet.listener(group, "HTTPS")
    redirect: Any = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    fleet.elb.create_listener(
        LoadBalancerArn=fleet.balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "redirect", "RedirectConfig": redirect}],
    )  # fmt: skip
    fleet.cluster()
    fleet.create(fleet.define(image()), group)
    fleet.ended()

    turned = fleet.web.get(f"{fleet.url}/a?b=c")
    body = fleet.web.post(f"https://{fleet.balancer['DNSName']}/a%20b?c=d", content=b"\x00body")

    assert (turned.status_code, turned.headers["Location"]) == (301, f"https://{fleet.balancer['DNSName']}/a?b=c")
    assert (body.status_code, body.content) == (201, b"/a%20b?c=d https \x00body")


def test_target_health_is_what_the_tasks_are(fleet: Fleet, image: Push) -> None:
    group = fleet.group()
    fleet.listener(group)
    fleet.cluster()

    before = health(fleet, group)
    fleet.create(fleet.define(image()), group)
    fleet.ended()
    well = health(fleet, group)
    fleet.update(desiredCount=0)

    assert (before, well) == ([], ["healthy"])
    assert until(lambda: health(fleet, group), lambda states: not states) == []


def test_a_sick_target_is_unhealthy_and_never_called_healthy(fleet: Fleet, image: Push) -> None:
    group = fleet.group()
    fleet.listener(group)
    fleet.cluster()

    fleet.create(fleet.define(image(SICK="1")), group)
    seen = fleet.meanwhile(lambda: tuple(health(fleet, group)))

    assert ("initial",) in seen
    assert seen <= {(), ("initial",), ("unhealthy",)}


def test_weights_are_kept_and_shown_and_a_rule_goes_before_the_default(fleet: Fleet) -> None:
    blue, green = fleet.group("-b"), fleet.group("-g")
    listener = fleet.listener(blue)
    weighted: Any = [{"TargetGroupArn": blue, "Weight": 3}, {"TargetGroupArn": green, "Weight": 1}]
    made = fleet.elb.create_rule(
        ListenerArn=listener, Priority=5, Conditions=[{"Field": "path-pattern", "Values": ["/w/*"]}],
        Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": weighted}}],
    )["Rules"][0]  # fmt: skip
    tea: Any = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/t*"]}}
    fixed: Any = {"StatusCode": "418", "MessageBody": "teapot", "ContentType": "text/plain"}
    fleet.elb.create_rule(
        ListenerArn=listener, Priority=2, Conditions=[tea],
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": fixed}],
    )  # fmt: skip

    rules = fleet.elb.describe_rules(ListenerArn=listener)["Rules"]
    shown = next(rule for rule in rules if rule["RuleArn"] == made["RuleArn"])
    default = next(rule for rule in rules if rule["IsDefault"])

    assert shown["Actions"][0]["ForwardConfig"]["TargetGroups"] == weighted
    assert default["Actions"][0]["TargetGroupArn"] == blue
    assert fleet.answers("/tea") == (418, "teapot\n")
    assert fleet.answers("/w/1")[0] == 503


def test_a_target_group_that_is_forwarded_to_is_not_deleted(fleet: Fleet) -> None:
    group = fleet.group()
    listener = fleet.listener(group)

    with pytest.raises(fleet.elb.exceptions.ResourceInUseException):
        fleet.elb.delete_target_group(TargetGroupArn=group)
    used_by = fleet.elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]["LoadBalancerArns"]
    fleet.elb.delete_listener(ListenerArn=listener)
    fleet.elb.delete_target_group(TargetGroupArn=group)

    assert used_by == [fleet.balancer["LoadBalancerArn"]]


def test_a_service_needs_a_target_group_with_a_load_balancer(fleet: Fleet, image: Push) -> None:
    fleet.cluster()
    with pytest.raises(
        fleet.ecs.exceptions.InvalidParameterException, match="does not have an associated load balancer"
    ):
        fleet.create(fleet.define(image()), fleet.group())


def test_a_deleted_load_balancer_answers_no_more(fleet: Fleet) -> None:
    url = fleet.url
    fleet.elb.delete_load_balancer(LoadBalancerArn=fleet.balancer["LoadBalancerArn"])

    with pytest.raises(httpx.ConnectError):
        fleet.web.get(url)
    with pytest.raises(fleet.elb.exceptions.LoadBalancerNotFoundException):
        fleet.elb.describe_load_balancers(Names=[fleet.name])


def test_what_the_door_is_told_ministack_knows_too(fleet: Fleet) -> None:
    group = fleet.group()
    fleet.elb.add_tags(ResourceArns=[group], Tags=[{"Key": "team", "Value": "web"}])

    inner = boto3.client("elbv2", **access(fleet.laptop.endpoint))

    assert inner.describe_target_groups(Names=[fleet.name])["TargetGroups"][0]["TargetGroupArn"] == group
    assert fleet.elb.describe_tags(ResourceArns=[group])["TagDescriptions"][0]["Tags"] == [
        {"Key": "team", "Value": "web"}
    ]


def test_a_request_that_the_model_refuses_changes_nothing(fleet: Fleet) -> None:
    client: Any = boto3.client("elbv2", **access(fleet.laptop.runtimes.endpoint))

    with pytest.raises(client.exceptions.ClientError, match="ValidationError"):
        client.create_target_group(Name=fleet.name, Protocol="GOPHER")

    assert not [
        each for each in client.describe_target_groups()["TargetGroups"] if each["TargetGroupName"] == fleet.name
    ]
