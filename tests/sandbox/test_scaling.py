"""Application Auto Scaling in the sandbox: what is asked for is kept and told, for services that are there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.runtimes.refusal import Refusal
from sandbox.runtimes.scaling import Scaling

PREFIX = "arn:aws:application-autoscaling:eu-west-1:000000000000"
WHAT = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/shop/web",
    "ScalableDimension": "ecs:service:DesiredCount",
}
TRACKING = {"TargetValue": 60.0, "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPU"}}


@pytest.fixture
def made(tmp_path: Path) -> Callable[[], Scaling]:
    """The same one again and again, as after restarts; ECS knows one service."""
    return lambda: Scaling(tmp_path / "scaling.json", PREFIX, lambda resource: resource == "service/shop/web")


def refused(operation: Callable[[Any], object], request: Any) -> str:
    with pytest.raises(Refusal) as caught:
        operation(request)
    return caught.value.code


def listed(operation: Callable[[Any], Any]) -> Any:
    [found] = operation({"ServiceNamespace": "ecs"}).values()
    return found


def test_a_target_is_kept_with_its_capacities_also_over_a_restart(made: Callable[[], Scaling]) -> None:
    arn = made().register({**WHAT, "MinCapacity": 1, "MaxCapacity": 4, "Tags": {"team": "a"}})["ScalableTargetARN"]
    made().register({**WHAT, "MaxCapacity": 6})

    [target] = listed(made().describe)
    assert (target["MinCapacity"], target["MaxCapacity"], target["ScalableTargetARN"]) == (1, 6, arn)
    assert made().list_tags({"ResourceARN": arn}) == {"Tags": {"team": "a"}}


def test_what_ecs_does_not_know_cannot_be_scaled(made: Callable[[], Scaling]) -> None:
    other = {**WHAT, "ResourceId": "service/shop/api", "MinCapacity": 1, "MaxCapacity": 2}

    assert refused(made().register, other) == "ValidationException"


@pytest.mark.parametrize("capacities", [{}, {"MinCapacity": 1}, {"MinCapacity": 3, "MaxCapacity": 2}])
def test_a_new_target_needs_capacities_that_fit(made: Callable[[], Scaling], capacities: dict[str, int]) -> None:
    assert refused(made().register, {**WHAT, **capacities}) == "ValidationException"
    assert listed(made().describe) == []


def test_a_policy_needs_its_target_and_goes_with_it(made: Callable[[], Scaling]) -> None:
    policy = {**WHAT, "PolicyName": "cpu", "PolicyType": "TargetTrackingScaling"}
    asked = {**policy, "TargetTrackingScalingPolicyConfiguration": TRACKING}
    assert refused(made().put_policy, asked) == "ObjectNotFoundException"

    made().register({**WHAT, "MinCapacity": 1, "MaxCapacity": 4})
    first, second = made().put_policy(asked)["PolicyARN"], made().put_policy(asked)["PolicyARN"]
    assert first == second
    [kept] = listed(made().describe_policies)
    assert kept["TargetTrackingScalingPolicyConfiguration"] == TRACKING
    made().deregister(WHAT)
    assert listed(made().describe_policies) == []
    assert refused(made().deregister, WHAT) == "ObjectNotFoundException"
