"""The provider under the real engine, against a real ministack: create, read, update, delete, and the rules of Diff."""

import functools
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from botocore.exceptions import ClientError

from sandbox.process import SandboxBroken
from sandbox.provider.values import overlay
from tests.sandbox.provider_engine import REGION, ROOT, Engine, start_provider

pytestmark = pytest.mark.nightly

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "tasks.apprunner.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
PULL = "arn:aws:iam::aws:policy/service-role/AWSAppRunnerServicePolicyForECRAccess"


def expiry(days: int) -> str:
    """A lifecycle policy."""
    selection = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days}
    return json.dumps({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})


def publishing(topic: str, service: str = "cloudwatch") -> str:
    """A topic policy."""
    principal = {"Service": f"{service}.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sns:Publish", "Resource": topic}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def everything() -> None:
    """One of each type that ministack can hold."""
    repository = aws.ecr.Repository(
        "images",
        image_tag_mutability="IMMUTABLE_WITH_EXCLUSION",
        image_tag_mutability_exclusion_filters=[{"filter": "latest*", "filter_type": "WILDCARD"}],
        image_scanning_configuration={"scan_on_push": True},
        tags={"team": "web"},
    )
    aws.ecr.LifecyclePolicy("expiry", repository=repository.name, policy=expiry(14))
    pulling = {"Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage"]}
    policy: Any = {"Version": "2012-10-17", "Statement": [pulling]}
    aws.ecr.RepositoryPolicy("pulling", repository=repository.name, policy=policy)
    role = aws.iam.Role("role", assume_role_policy=json.dumps(TRUST), description="runs it")
    reading = repository.arn.apply(
        lambda arn: json.dumps({"Statement": [{"Effect": "Allow", "Action": "ecr:BatchGetImage", "Resource": arn}]})
    )
    aws.iam.RolePolicy("reading", role=role.id, policy=reading)
    aws.iam.RolePolicyAttachment("attached", role=role.name, policy_arn=PULL)
    topic = aws.sns.Topic("alerts", display_name="Alerts")
    aws.sns.TopicPolicy("publishing", arn=topic.arn, policy=topic.arn.apply(publishing))
    aws.sns.TopicSubscription("mail", topic=topic.arn, protocol="email", endpoint="a@example.com")
    aws.sns.TopicSubscription("hook", topic=topic.arn, protocol="http", endpoint="http://127.0.0.1:9/hook")
    requests: Any = {
        "namespace": "AWS/AppRunner",
        "metric_name": "Requests",
        "period": 60,
        "stat": "Sum",
        "dimensions": {"ServiceName": "web"},
    }
    aws.cloudwatch.MetricAlarm(
        "errors",
        metric_queries=[
            {"id": "rate", "expression": "100 * FILL(r, 0)", "label": "5xx %", "return_data": True},
            {"id": "r", "metric": requests},
        ],
        comparison_operator="GreaterThanThreshold",
        threshold=2,
        evaluation_periods=5,
        alarm_actions=[topic.arn],
    )
    latency()
    who = aws.get_caller_identity()
    pulumi.export("who", f"{who.account_id} {aws.get_region().region} {aws.get_partition().partition}")


def latency(threshold: float = 1500) -> None:
    """An alarm of one metric."""
    aws.cloudwatch.MetricAlarm(
        "latency",
        namespace="AWS/AppRunner",
        metric_name="RequestLatency",
        dimensions={"ServiceName": "web"},
        extended_statistic="p95",
        period=60,
        comparison_operator="GreaterThanThreshold",
        threshold=threshold,
        evaluation_periods=5,
    )


def test_what_is_made_is_left_alone_and_goes_away_again(engine: Engine, cloud: Callable[[str], Any]) -> None:
    assert engine.preview(everything).counts == {"create": 13}
    made = engine.up(everything)
    assert (made.error, made.counts) == ("", {"create": 13})
    resources = engine.resources()
    names = {name: one["outputs"].get("name") for name, one in resources.items()}
    topic, repository, role = (resources[name]["id"] for name in ("alerts", "images", "role"))
    assert {name: one["id"] for name, one in resources.items() if name not in ("mail", "hook")} == {
        "alerts": f"arn:aws:sns:{REGION}:000000000000:{names['alerts']}",
        "attached": f"{role}/{PULL}",
        "errors": names["errors"],
        "expiry": repository,
        "images": names["images"],
        "latency": names["latency"],
        "publishing": topic,
        "pulling": repository,
        "reading": f"{role}:{names['reading']}",
        "role": names["role"],
    }
    assert repository.startswith("images-")
    assert len(repository) == len("images-1234567")

    assert engine.preview(everything).counts == {"same": 13}
    assert engine.preview(everything, refresh=True).counts == {"same": 13}

    assert engine.destroy().error == ""
    for service, call, arguments in (
        ("ecr", "describe_repositories", {"repositoryNames": [repository]}),
        ("iam", "get_role", {"RoleName": role}),
        ("sns", "get_topic_attributes", {"TopicArn": topic}),
    ):
        with pytest.raises(ClientError):
            getattr(cloud(service), call)(**arguments)


def test_what_aws_can_change_in_place_is_changed_in_place(engine: Engine, cloud: Callable[[str], Any]) -> None:
    def program(version: int) -> None:
        new = version == 2
        aws.ecr.Repository(
            "images",
            image_tag_mutability="IMMUTABLE" if new else "MUTABLE",
            image_scanning_configuration={"scan_on_push": new},
            tags={"kept": "x", **({"a.b": "new"} if new else {"gone": "y"})},
        )
        trust = TRUST | {"Version": "2008-10-17" if new else "2012-10-17"}
        role = aws.iam.Role("role", assume_role_policy=json.dumps(trust), description="new" if new else None)
        policy = {"Statement": [{"Effect": "Allow", "Action": "s3:*" if new else "s3:Get*", "Resource": "*"}]}
        aws.iam.RolePolicy("reading", role=role.name, policy=json.dumps(policy))
        topic = aws.sns.Topic("alerts", display_name=None if new else "Alerts", region="us-east-1")
        service = "events" if new else "cloudwatch"
        aws.sns.TopicPolicy(
            "publishing",
            arn=topic.arn,
            region="us-east-1",
            policy=topic.arn.apply(lambda arn: publishing(arn, service)),
        )
        latency(900 if new else 1500)

    assert engine.up(lambda: program(1)).error == ""
    run = engine.up(lambda: program(2))

    assert (run.error, run.counts) == ("", {"same": 1, "update": 6})
    assert {step.name: dict(step.paths) for step in run.steps if step.op == "update"} == {
        "images": {
            "imageTagMutability": "update",
            "imageScanningConfiguration.scanOnPush": "add",
            'tags["a.b"]': "add",
            "tags.gone": "delete",
        },
        "role": {"assumeRolePolicy": "update", "description": "add"},
        "reading": {"policy": "update"},
        "alerts": {"displayName": "delete"},
        "publishing": {"policy": "update"},
        "latency": {"threshold": "update"},
    }
    resources = engine.resources()
    repository = cloud("ecr").describe_repositories(repositoryNames=[resources["images"]["id"]])["repositories"][0]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert resources["images"]["outputs"]["tagsAll"] == {"kept": "x", "a.b": "new"}
    alarm = cloud("cloudwatch").describe_alarms(AlarmNames=[resources["latency"]["id"]])["MetricAlarms"][0]
    assert alarm["Threshold"] == 900
    assert resources["alerts"]["id"].startswith("arn:aws:sns:us-east-1:")
    assert engine.preview(lambda: program(2)).counts == {"same": 7}
    engine.destroy()


def test_what_forces_replacement_and_which_of_the_two_comes_first(engine: Engine) -> None:
    def program(version: int) -> None:
        aws.sns.Topic("named", name=f"named-{version}")
        aws.iam.Role("automatic", path=f"/v{version}/", assume_role_policy=json.dumps(TRUST))
        repository = aws.ecr.Repository("images", encryption_configurations=[{"encryption_type": "AES256"}])
        aws.ecr.LifecyclePolicy("expiry", repository=repository.name, policy=expiry(version))

    new_first = ["create-replacement", "replace", "delete-replaced"]
    old_first = ["delete-replaced", "replace", "create-replacement"]
    engine.up(lambda: program(1))
    run = engine.preview(lambda: program(2))

    assert {
        name: sorted(run.ops(name), key=new_first.index) for name in ("named", "automatic", "expiry")
    } == dict.fromkeys(("named", "automatic", "expiry"), new_first)
    assert {name: run.ops(name) for name in ("named", "expiry")} == {"named": old_first, "expiry": old_first}
    assert run.ops("automatic") == new_first
    assert run.of("named")[-1].paths == {"name": "update-replace"}
    assert run.of("automatic")[0].paths == {"path": "update-replace"}
    assert run.of("expiry")[-1].paths == {"policy": "update-replace"}
    old_name = engine.resources()["automatic"]["id"]
    assert engine.up(lambda: program(2)).counts == {"same": 2, "replace": 3}
    assert engine.resources()["automatic"]["id"] != old_name
    engine.destroy()


def test_a_refresh_sees_what_was_done_by_hand_and_the_plan_that_mends_it(
    engine: Engine, cloud: Callable[[str], Any]
) -> None:
    def program() -> None:
        aws.ecr.Repository("images", tags={"team": "web"})
        aws.ecr.Repository("left", tags={"team": "web"}, opts=pulumi.ResourceOptions(ignore_changes=["tags"]))
        aws.iam.Role("role", assume_role_policy=json.dumps(TRUST))
        aws.sns.Topic("gone")
        aws.sns.Topic("alerts")

    engine.up(program)
    ids = {name: one["id"] for name, one in engine.resources().items()}
    for name in ("images", "left"):
        arn = f"arn:aws:ecr:{REGION}:000000000000:repository/{ids[name]}"
        cloud("ecr").tag_resource(resourceArn=arn, tags=[{"Key": "hand", "Value": "made"}])
    cloud("sns").delete_topic(TopicArn=ids["gone"])
    cloud("sns").set_topic_attributes(TopicArn=ids["alerts"], AttributeName="DisplayName", AttributeValue="Hand")
    trust = json.dumps(TRUST).replace("tasks.", "build.")
    cloud("iam").update_assume_role_policy(RoleName=ids["role"], PolicyDocument=trust)

    assert engine.preview(program).counts == {"same": 6}
    run = engine.preview(program, refresh=True)
    assert run.counts == {"same": 2, "create": 1, "update": 3}
    assert {step.name: dict(step.paths) for step in run.drift if step.op == "refresh" and step.paths} == {
        "images": {"tags.hand": "add"},
        "alerts": {"displayName": "add"},
        "role": {"assumeRolePolicy": "update"},
    }
    assert [step.paths for step in run.of("images")] == [{"tags.hand": "delete"}]
    assert engine.refresh().error == ""
    assert "gone" not in engine.resources()
    assert engine.up(program).counts == {"same": 2, "create": 1, "update": 3}
    assert engine.preview(program, refresh=True).counts == {"same": 6}
    engine.destroy()


def refused_program(kind: str) -> None:
    """A mistake that the type checker would find, were it not for the Any."""
    sdk: Any = aws
    trust = json.dumps(TRUST)
    programs: dict[str, Callable[[], object]] = {
        "nested": lambda: sdk.ecr.Repository("x", image_scanning_configuration={"scanOnPsh": True}),
        "type": lambda: sdk.sns.Topic("x", display_name=7),
        "missing": lambda: sdk.apprunner.Service("x", service_name="x", source_configuration={"image_repository": {}}),
        "unsupported": lambda: sdk.iam.Role("x", assume_role_policy=trust, managed_policy_arns=[PULL]),
        "unknown": lambda: sdk.sqs.Queue("x"),
    }
    programs[kind]()


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("nested", ["imageScanningConfiguration.scanOnPsh", "did you mean `scanOnPush`?"]),
        ("type", ["displayName", "expected a value of type string, got integer"]),
        ("missing", ["sourceConfiguration.imageRepository.imageIdentifier", "is required"]),
        ("unsupported", ["managedPolicyArns", "the sandbox does not have this property"]),
        ("unknown", ["does not know the type aws:sqs/queue:Queue", "aws:sns/topic:Topic"]),
    ],
)
def test_what_the_provider_does_not_know_is_refused_before_anything_is_made(
    engine: Engine, kind: str, parts: list[str]
) -> None:
    run = engine.preview(functools.partial(refused_program, kind))

    assert [part for part in parts if part not in run.error] == [], run.error


def test_protected_imported_and_secret_resources(engine: Engine, cloud: Callable[[str], Any]) -> None:
    hidden = "words-that-nobody-may-read"
    cloud("ecr").create_repository(repositoryName="by-hand", tags=[{"Key": "team", "Value": "web"}])

    def program(*, importing: bool, name: str = "kept") -> None:
        options = pulumi.ResourceOptions(import_="by-hand") if importing else None
        aws.ecr.Repository("adopted", name="by-hand", tags={"team": "web"}, opts=options)
        aws.sns.Topic("kept", name=name, opts=pulumi.ResourceOptions(protect=True))
        aws.sns.Topic("secret", display_name=pulumi.Output.secret(hidden))

    run = engine.up(lambda: program(importing=True))
    assert (run.error, run.counts) == ("", {"create": 3, "import": 1})
    assert engine.preview(lambda: program(importing=False)).counts == {"same": 4}

    refused = engine.preview(lambda: program(importing=False, name="other"))
    assert "is currently marked for protection" in refused.error

    engine.refresh()
    secret = engine.resources()["secret"]
    topic = cloud("sns").get_topic_attributes(TopicArn=secret["id"])
    assert topic["Attributes"]["DisplayName"] == hidden
    assert [set(secret[part]["displayName"]) & {"ciphertext"} for part in ("inputs", "outputs")] == [{"ciphertext"}] * 2
    assert hidden not in json.dumps(engine.resources())
    assert "because it is protected" in engine.destroy().error
    assert list(engine.resources()) == ["kept"]


def test_a_policy_that_means_the_same_is_no_change(engine: Engine) -> None:
    def program(principals: Any, **layout: Any) -> None:
        statement = {"Effect": "Allow", "Principal": {"Service": principals}, "Action": "sts:AssumeRole"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, **layout)
        aws.iam.Role("role", assume_role_policy=policy)

    services = ["a.amazonaws.com", "b.amazonaws.com"]
    engine.up(lambda: program(services))

    assert engine.preview(lambda: program(services[::-1], indent=2, sort_keys=True)).counts == {"same": 2}
    assert engine.preview(lambda: program(services[:1])).counts == {"same": 1, "update": 1}
    engine.destroy()


def test_an_error_of_aws_is_passed_on_with_its_code(engine: Engine, cloud: Callable[[str], Any]) -> None:
    cloud("iam").create_role(RoleName="taken", AssumeRolePolicyDocument=json.dumps(TRUST))

    def program() -> None:
        aws.iam.Role("role", name="taken", assume_role_policy=json.dumps(TRUST))

    run = engine.up(program)

    assert (
        "creating IAM Role (taken): operation error IAM: CreateRole, https response error StatusCode: 409" in run.error
    )
    assert "EntityAlreadyExists" in run.error
    assert engine.resources() == {}


def test_two_engines_with_a_region_each_share_one_provider(provider: int, tmp_path: Path) -> None:
    def program() -> None:
        for number in range(10):
            aws.sns.Topic(f"topic-{number}")

    engines = {region: Engine(tmp_path / region, provider, region) for region in ("eu-west-1", "us-east-1")}
    with ThreadPoolExecutor(2) as threads:
        runs = list(threads.map(lambda engine: engine.up(program), engines.values()))

    assert [run.counts for run in runs] == [{"create": 11}] * 2
    for region, one in engines.items():
        arns = {resource["id"] for resource in one.resources().values()}
        assert (len(arns), {arn.split(":")[3] for arn in arns}) == (10, {region})
        one.destroy()


def test_the_process_ends_with_its_parent(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "sandbox.provider", "--die-with-stdin"]
    environment = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, env=environment
    ) as running:
        assert running.stdin
        assert running.stdout
        assert json.loads(running.stdout.readline())["port"] > 0
        running.stdin.close()

        assert running.wait(5) == 0


def test_it_does_not_start_where_it_would_reach_the_real_aws(tmp_path: Path) -> None:
    with pytest.raises(SandboxBroken, match="AWS_ENDPOINT_URL is not set"):
        start_provider(tmp_path, {})


def test_ignored_paths_take_the_recorded_value() -> None:
    news = {"tags": {"a.b": "new", "c": "new"}, "metricQueries": [{"id": "r", "label": "new"}], "gone": 1}
    olds = {"tags": {"a.b": "old"}, "metricQueries": [{"id": "r", "label": "old"}]}

    taken = overlay(news, olds, ['tags["a.b"]', "tags.c", "metricQueries[0].label", "gone", "never.there"])

    assert taken == {"tags": {"a.b": "old"}, "metricQueries": [{"id": "r", "label": "old"}]}
