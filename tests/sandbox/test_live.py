"""The controller's eyes on what the sandbox runs: a release that is well, a quiet rollback, one that never started."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from releasectl.edges import aws, live
from releasectl.edges.live import Live
from releasectl.outputs import Service
from releasectl.verify import Answer, Observation
from tests.sandbox.conftest import REGION, Laptop, create, settled, source, until
from tests.sandbox.fleet import Fleet
from tests.sandbox.test_ecs_express import Express

Push = Callable[..., str]


def forget() -> None:
    """Another test of this process may have made its client with the certificates of its own authority."""
    aws.session.cache_clear()
    live._client().close()
    live._client.cache_clear()


@pytest.fixture(autouse=True)
def account(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The ordinary environment of a controller."""
    variables = {
        "AWS_ENDPOINT_URL": laptop.endpoint,
        "AWS_ENDPOINT_URL_APPRUNNER": laptop.runtimes.endpoint,
        "AWS_ENDPOINT_URL_ECS": laptop.runtimes.endpoint,
        "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": laptop.runtimes.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "SSL_CERT_FILE": str(laptop.ca),
        "NO_PROXY": "*",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    forget()
    yield
    forget()


@pytest.fixture
def fleet(laptop: Laptop, service_name: str) -> Iterator[Fleet]:
    own = Fleet(laptop, service_name)
    laptop.logs.create_log_group(logGroupName=own.log_group)
    yield own
    own.web.close()


def digest(image: str) -> str:
    return image.rpartition("@")[2]


def seen(fleet: Fleet, *, private: bool = False, watch: float = 0) -> Observation:
    """What the controller sees of the fleet's service."""
    service = Service(
        "fargate", "r", service=fleet.service().get("serviceArn", ""), url=fleet.url, health_path="/healthz",
        log_group=fleet.log_group, private=private,
    )  # fmt: skip
    return Live(poll=0.1).observe(REGION, service, watch=watch)


def test_a_fargate_service_is_seen_with_its_digest_its_deployment_and_its_lines(fleet: Fleet, image: Push) -> None:
    pinned = image()
    fleet.stand(pinned, logged=True, desired=2)
    until(lambda: seen(fleet).log, lambda lines: lines == ("hello from one",))
    now = seen(fleet, watch=1)

    assert (now.unasked, now.digest, now.serves, now.is_well) == ((), digest(pinned), True, True)
    assert now.status == "ACTIVE, 2 of 2 tasks run"
    assert now.operation
    assert (now.operation.status, now.operation.has_failed) == ("SUCCESSFUL", False)


def test_a_quiet_rollback_of_ecs_is_seen_with_the_old_digest_and_why(fleet: Fleet, image: Push) -> None:
    good = image()
    fleet.stand(good, logged=True)
    fleet.update(taskDefinition=fleet.define(image(VERSION="bad", SICK="1"), logged=True))
    now = seen(fleet)  # waits for the end of the deployment

    assert (now.digest, now.is_well) == (digest(good), True)
    assert now.operation
    assert (now.operation.status, now.operation.has_failed) == ("ROLLBACK_SUCCESSFUL", True)
    assert "circuit breaker" in now.operation.reason
    assert "ELB health checks" in now.operation.reason or "its last task stopped" in now.operation.reason


def test_a_first_deployment_of_ecs_that_never_starts_is_seen_with_why_its_tasks_stopped(
    fleet: Fleet, image: Push
) -> None:
    group = fleet.group()
    fleet.listener(group)
    fleet.cluster()
    fleet.create(fleet.define(image(CRASH="1"), logged=True), group)
    now = seen(fleet)

    assert (now.digest, now.serves, now.is_well) == ("", False, False)
    assert now.operation
    assert now.operation.has_failed
    assert "its last task stopped: Essential container" in now.operation.reason
    assert "exit code 1" in now.operation.reason


def test_a_private_service_of_ecs_is_as_well_as_its_targets(fleet: Fleet, image: Push) -> None:
    fleet.stand(image(), logged=True)
    well = seen(fleet, private=True)
    fleet.update(desiredCount=0)
    until(fleet.service, lambda service: service["runningCount"] == 0)
    gone = seen(fleet, private=True)

    assert (well.answers, well.is_well) == ((), True)
    assert well.status == "ACTIVE, 1 of 1 tasks run, 1 of 1 targets are healthy"
    assert (gone.is_well, gone.status) == (False, "ACTIVE, 0 of 0 tasks run")


def test_an_express_service_is_seen_with_its_digest_and_its_canary_that_turned_back(
    laptop: Laptop, image: Push, service_name: str
) -> None:
    good, own = image(), Express(laptop, service_name)
    url = own.stands(good).rstrip("/")
    arn = own.described()["serviceArn"]
    service = Service("ecs-express", "r", service=arn, url=url, health_path="/healthz")
    well = Live(poll=0.1).observe(REGION, service, watch=0)
    own.changed(primaryContainer={"image": image(VERSION="bad", SICK="1"), "containerPort": 8080})
    back = Live(poll=0.1).observe(REGION, service, watch=0)
    private = Live(poll=0.1).observe(REGION, replace(service, private=True), watch=0)
    own.web.close()

    assert (well.unasked, well.digest, well.answers) == ((), digest(good), (Answer(200),))
    assert well.operation
    assert well.operation.has_failed is False
    assert (back.digest, back.is_well) == (digest(good), True)
    assert back.operation
    assert back.operation.has_failed
    assert back.operation.reason
    assert (private.is_well, private.status) == (True, "ACTIVE, 1 of 1 tasks run, 1 of 1 targets are healthy")


def test_a_quiet_rollback_of_app_runner_is_seen_with_the_old_digest(
    laptop: Laptop, image: Push, service_name: str
) -> None:
    good = image()
    arn = create(laptop.client, service_name, good)
    url = f"https://{settled(laptop.client, arn)['ServiceUrl']}"
    laptop.client.update_service(ServiceArn=arn, SourceConfiguration=source(image(VERSION="bad", SICK="1")))
    service = Service("app-runner", "r", service=arn, url=url, health_path="/healthz")
    now = Live(poll=0.1).observe(REGION, service, watch=0)

    assert (now.unasked, now.digest, now.status, now.serves) == ((), digest(good), "RUNNING", True)
    assert now.operation
    assert (now.operation.status, now.operation.has_failed) == ("ROLLBACK_SUCCEEDED", True)
