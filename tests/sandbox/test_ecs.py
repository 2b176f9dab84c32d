"""Services on the laptop's ECS: deployments, rollbacks, restarts, and what callers see meanwhile."""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.sandbox.conftest import Laptop, processes, until
from tests.sandbox.fleet import BREAKER, NETWORK, Fleet

Push = Callable[..., str]


@pytest.fixture
def fleet(laptop: Laptop, service_name: str) -> Iterator[Fleet]:
    """A fleet of the test's own."""
    own = Fleet(laptop, service_name)
    yield own
    own.web.close()


def test_a_created_service_serves_its_image_behind_the_load_balancer(fleet: Fleet, image: Push) -> None:
    pinned = image()
    group = fleet.group()
    fleet.listener(group)
    fleet.cluster()

    created = fleet.create(fleet.define(pinned), group, desired=2)
    rollout = fleet.ended()
    service = fleet.service()

    assert (created["status"], created["runningCount"], created["deployments"][0]["rolloutState"]) == (
        "ACTIVE", 0, "IN_PROGRESS",
    )  # fmt: skip
    assert rollout["status"] == "SUCCESSFUL"
    assert (service["desiredCount"], service["runningCount"], service["pendingCount"]) == (2, 2, 0)
    assert [each["rolloutState"] for each in service["deployments"]] == ["COMPLETED"]
    assert fleet.digest(rollout["targetServiceRevision"]["arn"]) == pinned.rpartition("@")[2]
    assert fleet.answers() == (200, "one")


def test_an_update_replaces_the_tasks_without_a_failed_request(fleet: Fleet, image: Push) -> None:
    first = fleet.stand(image(), healthCheckGracePeriodSeconds=30)
    seen: Counter[tuple[int, str]] = Counter()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            seen[fleet.answers()] += 1

    caller = threading.Thread(target=ask)
    caller.start()
    fleet.update(taskDefinition=fleet.define(image(VERSION="two")))
    rollout = fleet.ended()
    until(lambda: seen[200, "two"], lambda count: count > 3)
    done.set()
    caller.join()

    assert set(seen) == {(200, "one"), (200, "two")}
    assert rollout["status"] == "SUCCESSFUL"
    assert fleet.service()["taskDefinition"] != first["taskDefinition"]
    assert len(fleet.service()["deployments"]) == 1


def test_a_bad_update_is_rolled_back_by_the_circuit_breaker(fleet: Fleet, image: Push) -> None:
    before = fleet.stand(image())
    good = fleet.newest()["targetServiceRevision"]["arn"]

    fleet.update(taskDefinition=fleet.define(image(VERSION="bad", SICK="1")))
    answers = fleet.meanwhile(fleet.answers)
    rollout = fleet.newest()
    after = fleet.service()

    assert answers == {(200, "one")}
    assert rollout["status"] == "ROLLBACK_SUCCESSFUL"
    assert rollout["rollback"]["serviceRevisionArn"] == good
    assert "circuit breaker" in rollout["rollback"]["reason"]
    assert rollout["deploymentCircuitBreaker"] == {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}
    assert after["taskDefinition"] == before["taskDefinition"]
    assert [each["rolloutState"] for each in after["deployments"]] == ["COMPLETED"]
    assert fleet.answers() == (200, "one")
    assert any("Health check failed" in event["message"] for event in after["events"])


def test_a_bad_update_without_rollback_ends_stopped_and_the_old_tasks_serve_on(fleet: Fleet, image: Push) -> None:
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
    fleet.stand(image(), deploymentConfiguration=breaker)

    fleet.update(taskDefinition=fleet.define(image(CRASH="1")))
    rollout = fleet.ended()
    service = fleet.service()

    assert rollout["status"] == "STOPPED"
    assert "rollback" not in rollout
    assert [(each["status"], each["rolloutState"], each["runningCount"]) for each in service["deployments"]] == [
        ("PRIMARY", "FAILED", 0),
        ("ACTIVE", "COMPLETED", 1),
    ]
    assert fleet.answers() == (200, "one")


def test_without_a_circuit_breaker_a_bad_deployment_goes_on_until_a_good_one_takes_its_place(
    fleet: Fleet, image: Push
) -> None:
    fleet.stand(image(), deploymentConfiguration={"deploymentCircuitBreaker": {"enable": False, "rollback": False}})
    fleet.update(taskDefinition=fleet.define(image(CRASH="1")))
    bad = until(fleet.newest, lambda rollout: rollout["targetServiceRevision"]["runningTaskCount"] == 0)
    until(lambda: fleet.service()["deployments"][0]["failedTasks"], lambda failed: failed >= 4)

    fleet.update(taskDefinition=fleet.define(image(VERSION="two")))
    good = fleet.ended()
    arns = [bad["serviceDeploymentArn"]]
    superseded = fleet.ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"][0]

    assert (good["status"], superseded["status"]) == ("SUCCESSFUL", "STOPPED")
    assert fleet.answers() == (200, "two")


def test_a_first_deployment_that_crashes_has_nothing_to_roll_back_to(fleet: Fleet, image: Push) -> None:
    group = fleet.group()
    fleet.listener(group)
    fleet.cluster()

    fleet.create(fleet.define(image(CRASH="1")), group)
    rollout = fleet.ended()

    assert (rollout["status"], fleet.service()["runningCount"]) == ("ROLLBACK_FAILED", 0)
    assert fleet.answers()[0] == 503
    stopped = fleet.ecs.list_tasks(cluster=fleet.name, desiredStatus="STOPPED")["taskArns"]
    task = fleet.ecs.describe_tasks(cluster=fleet.name, tasks=stopped)["tasks"][0]
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("EssentialContainerExited", 1)


def test_a_task_that_dies_is_replaced(fleet: Fleet, image: Push) -> None:
    fleet.stand(image())
    before = fleet.ecs.list_tasks(cluster=fleet.name)["taskArns"]

    died = fleet.answers("/die")[0]
    until(fleet.answers, lambda answer: answer == (200, "one"))

    assert died == 502
    assert fleet.ecs.list_tasks(cluster=fleet.name)["taskArns"] != before


def test_a_forced_deployment_restarts_the_same_image(fleet: Fleet, image: Push) -> None:
    fleet.stand(image())
    before = fleet.ecs.list_tasks(cluster=fleet.name)["taskArns"]

    fleet.update(forceNewDeployment=True)
    rollout = fleet.ended()

    assert rollout["status"] == "SUCCESSFUL"
    assert rollout["sourceServiceRevisions"][0]["arn"] != rollout["targetServiceRevision"]["arn"]
    assert not set(before) & set(fleet.ecs.list_tasks(cluster=fleet.name)["taskArns"])


def test_a_change_of_the_desired_count_alone_is_no_deployment(fleet: Fleet, image: Push) -> None:
    fleet.stand(image())
    before = fleet.newest()["serviceDeploymentArn"]

    fleet.update(desiredCount=0)
    until(fleet.answers, lambda answer: answer[0] == 503)
    fleet.update(desiredCount=3)
    until(fleet.service, lambda service: service["runningCount"] == 3)

    assert fleet.newest()["serviceDeploymentArn"] == before
    assert fleet.answers() == (200, "one")


def test_a_deleted_service_drains_and_is_inactive(fleet: Fleet, image: Push) -> None:
    arn = fleet.stand(image(), tags=[{"key": "team", "value": "web"}])["serviceArn"]
    mark = fleet.ecs.list_tasks(cluster=fleet.name)["taskArns"][0].rpartition("/")[2]
    with pytest.raises(fleet.ecs.exceptions.InvalidParameterException, match="scaled above 0"):
        fleet.ecs.delete_service(cluster=fleet.name, service=fleet.name)
    tags = fleet.ecs.list_tags_for_resource(resourceArn=arn)["tags"]

    deleted = fleet.ecs.delete_service(cluster=fleet.name, service=fleet.name, force=True)["service"]
    after = until(fleet.service, lambda service: service["status"] == "INACTIVE")

    assert (deleted["status"], deleted["desiredCount"], tags) == ("DRAINING", 0, [{"key": "team", "value": "web"}])
    assert (after["deployments"], processes(mark)) == ([], [])
    with pytest.raises(fleet.ecs.exceptions.ServiceNotActiveException):
        fleet.update(desiredCount=1)
    with pytest.raises(fleet.ecs.exceptions.ServiceNotFoundException):
        fleet.ecs.delete_service(cluster=fleet.name, service=fleet.name)
    fleet.ecs.delete_cluster(cluster=fleet.name)


def test_what_a_task_writes_goes_to_the_log_group_of_its_container(fleet: Fleet, image: Push) -> None:
    fleet.laptop.logs.create_log_group(logGroupName=fleet.log_group)
    fleet.stand(image(), logged=True)
    task = fleet.ecs.list_tasks(cluster=fleet.name)["taskArns"][0].rpartition("/")[2]

    events = fleet.laptop.logs.filter_log_events(logGroupName=fleet.log_group)["events"]

    assert [event["message"] for event in events] == ["hello from one"]
    assert events[0]["logStreamName"] == f"web/app/{task}"


def test_a_task_whose_log_group_is_missing_does_not_start(fleet: Fleet, image: Push) -> None:
    group = fleet.group()
    fleet.listener(group)
    fleet.cluster()

    fleet.create(fleet.define(image(), logged=True), group)

    assert fleet.ended()["status"] == "ROLLBACK_FAILED"
    stopped = fleet.ecs.list_tasks(cluster=fleet.name, desiredStatus="STOPPED")["taskArns"]
    reason = fleet.ecs.describe_tasks(cluster=fleet.name, tasks=stopped)["tasks"][0]["stoppedReason"]
    assert f"the log group {fleet.log_group} does not exist" in reason


PROBE = "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz')"
WELL = ["CMD-SHELL", f'{sys.executable} -c "{PROBE}"']


def private(fleet: Fleet, definition: str) -> None:
    """A service that nothing stands in front of."""
    fleet.cluster()
    fleet.ecs.create_service(
        cluster=fleet.name, serviceName=fleet.name, taskDefinition=definition, desiredCount=1,
        networkConfiguration=NETWORK, deploymentConfiguration=BREAKER,
    )  # fmt: skip


def task_health(fleet: Fleet) -> str:
    tasks = fleet.ecs.list_tasks(cluster=fleet.name)["taskArns"]
    return fleet.ecs.describe_tasks(cluster=fleet.name, tasks=tasks)["tasks"][0]["healthStatus"]


def test_a_service_without_a_load_balancer_is_well_by_its_containers_own_check(fleet: Fleet, image: Push) -> None:
    private(fleet, fleet.define(image(), check=WELL))
    first = fleet.ended()["status"], task_health(fleet)

    fleet.update(taskDefinition=fleet.define(image(SICK="1"), check=WELL))
    rollout = fleet.ended()

    assert first == ("SUCCESSFUL", "HEALTHY")
    assert rollout["status"] == "ROLLBACK_SUCCESSFUL"
    assert any("failed container health checks" in event["message"] for event in fleet.service()["events"])


def test_nobody_says_healthy_of_a_task_that_nobody_checks(fleet: Fleet, image: Push) -> None:
    private(fleet, fleet.define(image()))

    assert (fleet.ended()["status"], task_health(fleet)) == ("SUCCESSFUL", "UNKNOWN")
