"""How traffic moves from one revision to the next: at once, in steps, with a bake, and back again."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sandbox.conftest import Laptop, until
from tests.sandbox.fleet import BREAKER, ENDED, Fleet

pytestmark = pytest.mark.nightly

Push = Callable[..., str]
BLUE_GREEN: Any = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 12, **BREAKER}
CANARY: Any = {
    "strategy": "CANARY", "bakeTimeInMinutes": 0, **BREAKER,
    "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 200},
}  # fmt: skip
LINEAR: Any = {
    "strategy": "LINEAR", "bakeTimeInMinutes": 0, **BREAKER,
    "linearConfiguration": {"stepPercent": 40.0, "stepBakeTimeInMinutes": 6},
}  # fmt: skip


class Shifting(Fleet):
    """A fleet whose service has two target groups and a rule for production."""

    def shifts(self, image: str, configuration: Any) -> str:
        """A service with this strategy that runs `image`, settled; answers the ARN of the rule."""
        blue, green = self.group("-b"), self.group("-g")
        weighted: Any = [{"TargetGroupArn": blue, "Weight": 1}, {"TargetGroupArn": green, "Weight": 0}]
        rule = self.elb.create_rule(
            ListenerArn=self.listener(blue), Priority=1, Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
            Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": weighted}}],
        )["Rules"][0]["RuleArn"]  # fmt: skip
        self.cluster()
        advanced = {
            "alternateTargetGroupArn": green,
            "productionListenerRule": rule,
            "roleArn": "arn:aws:iam::1:role/r",
        }
        self.create(self.define(image), blue, deploymentConfiguration=configuration, advanced=advanced)
        assert self.ended()["status"] == "SUCCESSFUL"
        return rule

    def weights(self, rule: str) -> list[int]:
        forward = self.elb.describe_rules(RuleArns=[rule])["Rules"][0]["Actions"][0]["ForwardConfig"]
        return [group["Weight"] for group in forward["TargetGroups"]]

    def at(self, stage: str) -> None:
        """Waits for a stage of the newest deployment."""
        until(lambda: self.newest().get("lifecycleStage"), lambda now: now == stage, 30)


@pytest.fixture
def fleet(laptop: Laptop, service_name: str) -> Iterator[Shifting]:
    """A fleet of the test's own."""
    own = Shifting(laptop, service_name)
    yield own
    own.web.close()


def test_blue_green_switches_at_once_and_keeps_the_old_tasks_while_it_bakes(fleet: Shifting, image: Push) -> None:
    rule = fleet.shifts(image(), BLUE_GREEN)

    fleet.update(taskDefinition=fleet.define(image(VERSION="two")))
    fleet.at("BAKE_TIME")
    during, running = fleet.answers(), fleet.ecs.list_tasks(cluster=fleet.name)["taskArns"]
    rollout = fleet.ended()

    assert (during, len(running)) == ((200, "two"), 2)
    assert rollout["status"] == "SUCCESSFUL"
    assert fleet.weights(rule) == [0, 100]
    assert len(fleet.ecs.list_tasks(cluster=fleet.name)["taskArns"]) == 1


def test_the_next_one_goes_back_to_the_first_target_group(fleet: Shifting, image: Push) -> None:
    rule = fleet.shifts(image(), {**BLUE_GREEN, "bakeTimeInMinutes": 0})
    for version in ("two", "three"):
        fleet.update(taskDefinition=fleet.define(image(VERSION=version)))
        assert fleet.ended()["status"] == "SUCCESSFUL"

    assert fleet.answers() == (200, "three")
    assert sorted(fleet.weights(rule)) == [0, 100]


def test_a_canary_gets_its_share_exactly(fleet: Shifting, image: Push) -> None:
    rule = fleet.shifts(image(), CANARY)
    seen: Counter[str] = Counter()

    fleet.update(taskDefinition=fleet.define(image(VERSION="two")))
    fleet.at("PRODUCTION_TRAFFIC_SHIFT")
    for _ in range(40):
        seen[fleet.answers()[1]] += 1
    weights = fleet.weights(rule)

    assert (seen, sorted(weights)) == ({"one": 36, "two": 4}, [10, 90])


def test_linear_goes_step_by_step(fleet: Shifting, image: Push) -> None:
    rule = fleet.shifts(image(), LINEAR)
    seen: list[list[int]] = [fleet.weights(rule)]

    fleet.update(taskDefinition=fleet.define(image(VERSION="two")))

    def looked() -> str:
        weights = sorted(fleet.weights(rule))
        seen.extend([weights] if weights != seen[-1] else [])
        return str(fleet.newest()["status"])

    assert until(looked, lambda word: word in ENDED, 30) == "SUCCESSFUL"
    assert seen[1:] == [[40, 60], [20, 80], [0, 100]]


def test_a_canary_that_is_stopped_returns_all_traffic(fleet: Shifting, image: Push) -> None:
    rule = fleet.shifts(image(), CANARY)
    before = fleet.service()["taskDefinition"]
    fleet.update(taskDefinition=fleet.define(image(VERSION="two")))
    fleet.at("PRODUCTION_TRAFFIC_SHIFT")
    arn = fleet.newest()["serviceDeploymentArn"]

    fleet.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    rollout = fleet.ended()

    assert rollout["status"] == "ROLLBACK_SUCCESSFUL"
    assert "stopped by a request" in rollout["rollback"]["reason"]
    assert {fleet.answers() for _ in range(20)} == {(200, "one")}
    assert (sorted(fleet.weights(rule)), fleet.service()["taskDefinition"]) == ([0, 100], before)
    with pytest.raises(fleet.ecs.exceptions.ConflictException):
        fleet.ecs.stop_service_deployment(serviceDeploymentArn=arn)


def test_a_sick_revision_never_gets_traffic(fleet: Shifting, image: Push) -> None:
    rule = fleet.shifts(image(), CANARY)
    before = fleet.weights(rule)

    fleet.update(taskDefinition=fleet.define(image(SICK="1", VERSION="bad")))
    answers = fleet.meanwhile(fleet.answers)

    assert (fleet.newest()["status"], answers) == ("ROLLBACK_SUCCESSFUL", {(200, "one")})
    assert sorted(fleet.weights(rule)) == sorted(before)


def watched(fleet: Fleet, name: str, *, rollback: bool = True) -> Any:
    """A deployment configuration that an alarm ends; the alarm is there."""
    fleet.laptop.cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace="team", MetricName="errors", Statistic="Sum", Period=60, EvaluationPeriods=12,
        Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
    )  # fmt: skip
    return {**BREAKER, "alarms": {"alarmNames": [name], "enable": True, "rollback": rollback}}


def say(fleet: Fleet, name: str, state: Any) -> None:
    fleet.laptop.cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="said by a test")


def test_an_alarm_rolls_a_rolling_deployment_back(fleet: Shifting, image: Push) -> None:
    fleet.stand(image(), deploymentConfiguration=watched(fleet, fleet.name))
    fleet.update(taskDefinition=fleet.define(image(VERSION="two")))
    fleet.at("BAKE_TIME")

    say(fleet, fleet.name, "ALARM")
    rollout = fleet.ended()

    assert rollout["status"] == "ROLLBACK_SUCCESSFUL"
    assert rollout["alarms"] == {
        "status": "TRIGGERED", "alarmNames": [fleet.name], "triggeredAlarmNames": [fleet.name],
    }  # fmt: skip
    assert fleet.answers() == (200, "one")


def test_an_alarm_without_rollback_stops_the_deployment(fleet: Shifting, image: Push) -> None:
    fleet.stand(image(), deploymentConfiguration=watched(fleet, fleet.name, rollback=False))
    fleet.update(taskDefinition=fleet.define(image(VERSION="two")))
    fleet.at("BAKE_TIME")

    say(fleet, fleet.name, "ALARM")

    assert fleet.ended()["status"] == "STOPPED"
    assert fleet.service()["deployments"][0]["rolloutState"] == "FAILED"


def test_an_alarm_that_rang_before_is_ignored(fleet: Shifting, image: Push) -> None:
    configuration = watched(fleet, fleet.name)
    say(fleet, fleet.name, "ALARM")

    fleet.stand(image(), deploymentConfiguration=configuration)
    fleet.update(taskDefinition=fleet.define(image(VERSION="two")))

    assert fleet.ended()["status"] == "SUCCESSFUL"
    assert fleet.answers() == (200, "two")
