"""What ECS answers about a service, and what the edge makes of it: answers in the form of botocore's model."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from releasectl.edges import aws
from releasectl.edges.live import Live
from releasectl.outputs import Service
from releasectl.verify import Observation, Operation
from tests.contract.answers import Answer, Asked, serving
from tests.twins import ACCOUNT, REGION, digest

OLD, NEW = digest("old"), digest("new")
ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/rc-staging/rc-staging-web"
GROUP = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/web/1"
LOGS = "/release-controller/staging/web"


def service(**more: Any) -> Service:
    return Service(**{"runtime": "fargate", "repository": "r/web", "service": ARN, "log_group": LOGS} | more)


def deployment(number: int, status: str, **more: Any) -> dict[str, Any]:
    """A service deployment; the revision that it is for has its number."""
    arn = f"{ARN.replace(':service/', ':service-deployment/')}/{number}"
    return {
        "serviceDeploymentArn": arn, "serviceArn": ARN, "createdAt": 1000.0 + number, "status": status,
        "targetServiceRevision": {"arn": f"revision/{number}"}, **more,
    }  # fmt: skip


def revision(number: int, pinned: str, **more: Any) -> dict[str, Any]:
    images = [
        {"containerName": "proxy", "image": "proxy:1", "imageDigest": digest("proxy")},
        {"containerName": "app", "image": f"r/web@{pinned}", "imageDigest": pinned},
    ]
    return {
        "serviceRevisionArn": f"revision/{number}", "containerImages": images, "taskDefinition": f"web:{number}", **more
    }  # fmt: skip


def task(definition: int, reason: str, at: float, *codes: int) -> dict[str, Any]:
    """One that stopped."""
    return {
        "taskArn": f"task/{definition}/{at}", "taskDefinitionArn": f"web:{definition}", "stoppedReason": reason,
        "stoppedAt": at, "containers": [{"name": "app", "exitCode": code} for code in codes],
    }  # fmt: skip


@dataclass
class Ecs:
    """What the account says; `steps` are the statuses of the newest deployment, one a look, the last one stays."""

    deployments: list[dict[str, Any]] = field(default_factory=list)
    revisions: list[dict[str, Any]] = field(default_factory=lambda: [revision(1, OLD), revision(2, NEW)])
    service: dict[str, Any] = field(default_factory=dict)
    targets: list[str] = field(default_factory=list)
    streams: list[dict[str, Any]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    running: list[int] = field(default_factory=list)  # how many tasks run, one a look, then two
    denied: str = ""
    tasks: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def answer(self, asked: Asked) -> Answer:
        if "X-Amz-Target" not in asked.headers:  # the load balancer speaks the query protocol
            return Answer(200, self._health(asked.body.decode()).encode(), {"Content-Type": "text/xml"})
        name, given = asked.headers["X-Amz-Target"].rpartition(".")[2], json.loads(asked.body)
        self.asked.append((name, given))
        if name == self.denied:
            said = {"__type": "AccessDeniedException", "message": f"not authorized to perform ecs:{name}"}
            return Answer(400, json.dumps(said).encode())
        said = getattr(self, name)(given)
        return Answer(200, json.dumps(said).encode(), {"Content-Type": "application/x-amz-json-1.1"})

    def ListServiceDeployments(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - AWS's name
        assert (given["service"], given["cluster"]) == (ARN, "rc-staging")
        if self.steps:
            self.deployments[-1]["status"] = self.steps.pop(0)
        page = int(given.get("nextToken", 0))
        kept = ("serviceDeploymentArn", "createdAt", "status")
        brief = [{key: one[key] for key in kept} for one in self.deployments[page : page + 1]]
        more = {"nextToken": str(page + 1)} if page + 1 < len(self.deployments) else {}
        return {"serviceDeployments": brief, **more}

    def DescribeServiceDeployments(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - AWS's name
        wanted = given["serviceDeploymentArns"]
        return {"serviceDeployments": [one for one in self.deployments if one["serviceDeploymentArn"] in wanted]}

    def DescribeServices(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - AWS's name
        assert given == {"cluster": "rc-staging", "services": [ARN]}
        if self.service.get("status") == "MISSING":
            return {"services": [], "failures": [{"arn": ARN, "reason": "MISSING"}]}
        runs = self.running.pop(0) if self.running else 2
        return {"services": [{"status": "ACTIVE", "runningCount": runs, "desiredCount": 2, **self.service}]}

    def DescribeServiceRevisions(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - AWS's name
        found = [one for one in self.revisions if one["serviceRevisionArn"] in given["serviceRevisionArns"]]
        return {"serviceRevisions": found}

    def ListTasks(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - AWS's name
        assert given == {"cluster": "rc-staging", "serviceName": "rc-staging-web", "desiredStatus": "STOPPED"}
        return {"taskArns": [one["taskArn"] for one in self.tasks]}

    def DescribeTasks(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - AWS's name
        return {"tasks": [one for one in self.tasks if one["taskArn"] in given["tasks"]]}

    def DescribeLogStreams(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - AWS's name
        assert given["logGroupName"] == LOGS
        return {"logStreams": self.streams}

    def GetLogEvents(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - AWS's name
        return {"events": [{"message": f"said in {given['logStreamName']}"}]}

    def _health(self, body: str) -> str:
        assert "Action=DescribeTargetHealth" in body
        states = "".join(f"<member><TargetHealth><State>{one}</State></TargetHealth></member>" for one in self.targets)
        described = f"<TargetHealthDescriptions>{states}</TargetHealthDescriptions>"
        return f"<R><DescribeTargetHealthResult>{described}</DescribeTargetHealthResult></R>"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ecs]:
    ecs = Ecs()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_ECS"):
        monkeypatch.delenv(name, raising=False)
    aws.session.cache_clear()
    with serving(ecs.answer) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield ecs
    aws.session.cache_clear()


def look(*, patience: float = 30.0, watch: float = 0, **more: Any) -> Observation:
    return Live(patience, poll=0.01).observe(REGION, service(**more), watch=watch)


def test_the_revision_of_the_newest_deployment_serves_once_that_has_succeeded(account: Ecs) -> None:
    account.deployments = [deployment(2, "SUCCESSFUL"), deployment(1, "SUCCESSFUL")]
    seen = look()

    assert (seen.unasked, seen.digest, seen.serves) == ((), NEW, True)
    assert seen.status == "ACTIVE, 2 of 2 tasks run"
    assert seen.operation == Operation(account.deployments[0]["serviceDeploymentArn"], "DEPLOYMENT", "SUCCESSFUL")


def test_a_rollback_names_the_old_digest_and_what_made_ecs_go_back(account: Ecs) -> None:
    back = {"reason": "A failure was detected.", "serviceRevisionArn": "revision/1"}
    account.deployments = [
        deployment(1, "SUCCESSFUL"),
        deployment(
            2, "ROLLBACK_SUCCESSFUL", rollback=back,
            alarms={"status": "TRIGGERED", "alarmNames": ["a", "b"], "triggeredAlarmNames": ["b"]},
            deploymentCircuitBreaker={"status": "TRIGGERED", "failureCount": 3, "threshold": 3},
        ),
    ]  # fmt: skip
    seen = look()

    assert (seen.digest, seen.serves) == (OLD, True)
    assert seen.operation
    assert (seen.operation.status, seen.operation.has_failed) == ("ROLLBACK_SUCCESSFUL", True)
    assert seen.operation.reason == (
        "A failure was detected; alarms that rang: b; the circuit breaker counted 3 failed tasks"
    )


def test_why_the_last_task_stopped_is_told_too_since_what_never_started_has_no_log(account: Ecs) -> None:
    account.deployments = [deployment(2, "ROLLBACK_FAILED", statusReason="No rollback candidate was found.")]
    account.tasks = [
        task(2, "Essential container in task exited", 5, 1),
        task(2, "CannotPullContainerError: not found", 3),
        task(2, "Scaling activity initiated by (deployment 2)", 9),
        task(1, "Task stopped by somebody", 8),
    ]
    seen = look()

    assert seen.operation
    assert seen.operation.reason == (
        "No rollback candidate was found; its last task stopped: Essential container in task exited (exit code 1)"
    )


def test_a_role_that_may_not_ask_for_tasks_still_gets_the_rest(account: Ecs) -> None:
    account.deployments = [deployment(2, "STOPPED", statusReason="stopped by ann")]
    account.denied = "ListTasks"
    seen = look()

    assert (seen.unasked, seen.serves) == ((), True)
    assert seen.operation
    assert seen.operation.reason == "stopped by ann"


def test_a_deployment_that_was_stopped_leaves_what_takes_the_requests(account: Ecs) -> None:
    few = {"arn": "revision/2", "runningTaskCount": 5, "requestedProductionTrafficWeight": 5.0}
    most = {"arn": "revision/1", "runningTaskCount": 2, "requestedProductionTrafficWeight": 95.0}
    account.deployments = [
        deployment(
            2, "STOPPED", statusReason="stopped by ann", targetServiceRevision=few, sourceServiceRevisions=[most]
        )
    ]  # fmt: skip
    seen = look()

    assert seen.digest == OLD
    assert seen.operation
    assert seen.operation.reason == "stopped by ann"


def test_where_nobody_can_say_which_revision_serves_no_digest_is_named(account: Ecs) -> None:
    account.deployments = [deployment(2, "ROLLBACK_FAILED")]

    assert look().digest == ""


def test_a_deployment_under_way_is_waited_for(account: Ecs) -> None:
    account.deployments = [deployment(2, "PENDING")]
    account.steps = ["PENDING", "IN_PROGRESS", "SUCCESSFUL"]
    seen = look()

    assert seen.digest == NEW
    assert [name for name, _ in account.asked].count("ListServiceDeployments") == 3


def test_a_deployment_that_never_ends_is_told_as_it_stands(account: Ecs) -> None:
    account.deployments = [deployment(2, "IN_PROGRESS")]
    account.service["currentServiceRevisions"] = [{"arn": "revision/1", "runningTaskCount": 1}]
    seen = look(patience=0)

    assert seen.operation
    assert (seen.operation.has_failed, seen.operation.reason, seen.digest) == (None, "", OLD)


def test_a_service_whose_deployments_ecs_has_forgotten_still_says_what_runs(account: Ecs) -> None:
    account.service["currentServiceRevisions"] = [{"arn": "revision/1", "runningTaskCount": 1}]
    seen = look()

    assert (seen.operation, seen.digest, seen.serves) == (None, OLD, True)


def test_an_image_that_ecs_did_not_resolve_is_known_by_the_digest_it_was_given_by(account: Ecs) -> None:
    account.deployments = [deployment(2, "SUCCESSFUL")]
    del account.revisions[1]["containerImages"][1]["imageDigest"]

    assert look().digest == NEW


def test_an_express_service_runs_the_image_of_its_main_container(account: Ecs) -> None:
    account.deployments = [deployment(2, "SUCCESSFUL")]
    account.revisions[1]["containerImages"][1]["containerName"] = "Main"

    assert look(runtime="ecs-express").digest == NEW


def test_a_service_that_is_not_there_is_told_as_unasked(account: Ecs) -> None:
    account.service["status"] = "MISSING"

    assert look().unasked == (f"describing {ARN}: MISSING",)


@pytest.mark.parametrize(
    ("said", "serves"),
    [
        pytest.param({"runningCount": 1}, True, id="fewer tasks than wanted"),
        pytest.param({"runningCount": 0}, False, id="no task runs"),
        pytest.param({"runningCount": 0, "desiredCount": 0}, False, id="somebody wants none"),
        pytest.param({"status": "DRAINING"}, False, id="it is being deleted"),
        pytest.param({"status": "INACTIVE"}, False, id="it was deleted"),
    ],
)
def test_a_service_serves_while_ecs_says_that_it_is_active_and_tasks_run(
    account: Ecs, said: dict[str, Any], serves: bool
) -> None:
    account.deployments = [deployment(2, "SUCCESSFUL")]
    account.service = said

    assert look().serves is serves


@pytest.mark.parametrize(
    ("targets", "well"),
    [
        pytest.param(["healthy", "draining", "unused"], True, id="healthy"),
        pytest.param(["healthy", "unhealthy"], False, id="one is not"),
        pytest.param(["initial"], None, id="before the first check nobody knows"),
        pytest.param([], None, id="no target"),
    ],
)
def test_a_private_service_is_as_well_as_its_load_balancer_says(
    account: Ecs, targets: list[str], well: bool | None
) -> None:
    account.deployments = [deployment(2, "SUCCESSFUL")]
    account.revisions[1]["loadBalancers"] = [{"targetGroupArn": GROUP, "containerName": "app", "containerPort": 8080}]
    account.targets = targets
    seen = look(private=True, url="http://nobody.invalid")

    assert (seen.unasked, seen.answers, seen.is_well) == ((), (), well)


def test_a_private_service_without_a_load_balancer_is_well_while_its_tasks_run(account: Ecs) -> None:
    account.deployments = [deployment(2, "SUCCESSFUL")]

    assert look(private=True).is_well is True


def test_a_private_service_is_watched_by_asking_its_runtime_until_that_says_no(account: Ecs) -> None:
    account.deployments = [deployment(2, "SUCCESSFUL")]
    account.running = [1, 1, 0]
    seen = look(private=True, watch=30)

    assert (account.running, seen.is_well, seen.status) == ([], False, "ACTIVE, 0 of 2 tasks run")


def test_the_last_lines_are_those_of_the_applications_newest_container(account: Ecs) -> None:
    account.deployments = [deployment(2, "SUCCESSFUL")]
    account.streams = [
        {"logStreamName": "web/app/old", "creationTime": 1},
        {"logStreamName": "web/app/new", "creationTime": 2},
        {"logStreamName": "web/proxy/new", "creationTime": 3},
    ]

    assert look().log == ("said in web/app/new",)
    assert look(log_group="").log == ("(no log: the program names no log group)",)


def test_a_runtime_that_nobody_here_knows_is_not_asked_and_not_healthy(account: Ecs) -> None:
    seen = look(runtime="lambda")

    assert (seen.unasked, seen.is_well) == ((f"describing {ARN}: nobody here knows lambda",), None)
    assert account.asked == []
