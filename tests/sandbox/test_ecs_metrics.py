"""What ECS and its load balancers report to CloudWatch, with the dimensions that alarms ask for."""

import datetime
from collections.abc import Callable, Iterator

import pytest
from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef

from tests.sandbox.conftest import Laptop, until
from tests.sandbox.fleet import Fleet

Push = Callable[..., str]


@pytest.fixture
def fleet(laptop: Laptop, service_name: str) -> Iterator[Fleet]:
    """A fleet of the test's own."""
    own = Fleet(laptop, service_name)
    yield own
    own.web.close()


def series(fleet: Fleet, namespace: str, **dimensions: str) -> set[str]:
    """The metrics that have exactly these dimensions."""
    wanted: list[DimensionTypeDef] = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    found = fleet.laptop.cloudwatch.list_metrics(Namespace=namespace, Dimensions=wanted)["Metrics"]  # type: ignore[arg-type]
    return {metric["MetricName"] for metric in found if metric["Dimensions"] == wanted}


def statistic(fleet: Fleet, namespace: str, metric: str, kind: str, **dimensions: str) -> float:
    now = datetime.datetime.now(datetime.UTC)
    points = fleet.laptop.cloudwatch.get_metric_statistics(
        Namespace=namespace, MetricName=metric, Dimensions=[{"Name": n, "Value": v} for n, v in dimensions.items()],
        StartTime=now - datetime.timedelta(minutes=10), EndTime=now + datetime.timedelta(minutes=1), Period=60,
        Statistics=["Sum", "Average", "Maximum"],
    )["Datapoints"]  # fmt: skip
    values = [float(point[kind]) for point in points]  # type: ignore[literal-required]
    return sum(values) if kind == "Sum" else max(values, default=0.0)


def test_requests_are_counted_for_the_target_group_and_the_load_balancer(fleet: Fleet, image: Push) -> None:
    group = fleet.group()
    fleet.listener(group)
    fleet.cluster()
    fleet.create(fleet.define(image()), group)
    fleet.ended()
    balancer = fleet.balancer["LoadBalancerArn"].partition("loadbalancer/")[2]
    both = {"LoadBalancer": balancer, "TargetGroup": group.rpartition(":")[2]}

    for path in ("/", "/", "/fail"):
        fleet.answers(path)
    found = until(
        lambda: series(fleet, "AWS/ApplicationELB", **both), lambda names: "HTTPCode_Target_5XX_Count" in names
    )

    assert found == {
        "RequestCount", "HTTPCode_Target_2XX_Count", "HTTPCode_Target_5XX_Count", "TargetResponseTime",
        "HealthyHostCount", "UnHealthyHostCount",
    }  # fmt: skip
    assert statistic(fleet, "AWS/ApplicationELB", "RequestCount", "Sum", **both) == 3
    assert statistic(fleet, "AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum", **both) == 1
    assert statistic(fleet, "AWS/ApplicationELB", "HealthyHostCount", "Maximum", **both) == 1
    assert 0 < statistic(fleet, "AWS/ApplicationELB", "TargetResponseTime", "Average", **both) < 5
    assert statistic(fleet, "AWS/ApplicationELB", "RequestCount", "Sum", LoadBalancer=balancer) == 3


def test_without_a_target_the_errors_are_the_load_balancers_own(fleet: Fleet) -> None:
    fleet.listener(fleet.group())
    balancer = fleet.balancer["LoadBalancerArn"].partition("loadbalancer/")[2]

    assert fleet.answers()[0] == 503
    found = until(lambda: series(fleet, "AWS/ApplicationELB", LoadBalancer=balancer), bool)

    assert found == {"HTTPCode_ELB_5XX_Count"}


def test_a_service_reports_what_its_task_uses(fleet: Fleet, image: Push) -> None:
    fleet.stand(image())
    names = {"ClusterName": fleet.name, "ServiceName": fleet.name}

    found = until(lambda: series(fleet, "AWS/ECS", **names), lambda seen: len(seen) == 2)

    assert found == {"CPUUtilization", "MemoryUtilization"}
    # A Python that serves HTTP takes more than nothing and less than all of half a gigabyte.
    assert 0.5 < statistic(fleet, "AWS/ECS", "MemoryUtilization", "Average", **names) < 50
