"""What of ECS outlives its process: services, addresses, deployments that were going on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sandbox.conftest import Laptop, laptop_of, processes, start_runtimes, stop, until
from tests.sandbox.fleet import Fleet

Push = Callable[..., str]


class Restarted:
    """A fleet whose runtimes one test starts and ends as it likes."""

    def __init__(self, ministack: str, state: Path, name: str) -> None:
        self._ministack, self._state, self._name = ministack, state, name
        self.fleet = self._started()

    def _started(self) -> Fleet:
        running = start_runtimes(self._ministack, self._state, "--tempo", "0.04", "--minute", "0.3")
        self.laptop: Laptop = laptop_of(self._ministack, self._state, running)
        return Fleet(self.laptop, self._name)

    def kill(self) -> None:
        self.fleet.web.close()
        self.laptop.runtimes.process.kill()
        self.laptop.runtimes.process.wait(10)

    def again(self) -> Fleet:
        self.fleet = self._started()
        return self.fleet

    def close(self) -> None:
        self.fleet.web.close()
        stop(self.laptop.runtimes)


@pytest.fixture
def restarted(ministack: str, tmp_path: Path, service_name: str) -> Iterator[Restarted]:
    """Runtimes of the test's own."""
    own = Restarted(ministack, tmp_path / "state", service_name)
    yield own
    own.close()


def test_services_and_load_balancers_come_back_at_the_same_address(restarted: Restarted, image: Push) -> None:
    before = restarted.fleet.stand(image())
    url, tasks = restarted.fleet.url, restarted.fleet.ecs.list_tasks(cluster=restarted.fleet.name)["taskArns"]

    restarted.kill()
    until(lambda: processes(tasks[0].rpartition("/")[2]), lambda left: not left, 5)
    fleet = restarted.again()
    answer = until(lambda: fleet.web.get(f"{url}/"), lambda answer: answer.status_code == 200)
    after = fleet.service()

    assert answer.text == "one"
    assert fleet.elb.describe_load_balancers(Names=[fleet.name])["LoadBalancers"][0]["DNSName"] == url[len("http://") :]
    assert (after["serviceArn"], after["taskDefinition"]) == (before["serviceArn"], before["taskDefinition"])
    assert tasks[0] in fleet.ecs.list_tasks(cluster=fleet.name, desiredStatus="STOPPED")["taskArns"]


def test_a_deployment_that_was_going_on_goes_on(restarted: Restarted, image: Push) -> None:
    fleet = restarted.fleet
    fleet.stand(image())
    fleet.update(taskDefinition=fleet.define(image(VERSION="two")))
    begun = fleet.newest()["serviceDeploymentArn"]
    url = fleet.url

    restarted.kill()
    fleet = restarted.again()
    rollout = fleet.ended()

    assert (rollout["serviceDeploymentArn"], rollout["status"]) == (begun, "SUCCESSFUL")
    assert fleet.web.get(url).text == "two"


def test_a_bad_deployment_that_was_going_on_is_still_rolled_back(restarted: Restarted, image: Push) -> None:
    fleet = restarted.fleet
    fleet.stand(image())
    fleet.update(taskDefinition=fleet.define(image(CRASH="1")))
    url = fleet.url

    restarted.kill()
    fleet = restarted.again()

    assert fleet.ended()["status"] == "ROLLBACK_SUCCESSFUL"
    assert fleet.web.get(url).text == "one"


def test_a_service_that_was_draining_is_inactive(restarted: Restarted, image: Push) -> None:
    restarted.fleet.stand(image())
    restarted.fleet.ecs.delete_service(cluster=restarted.fleet.name, service=restarted.fleet.name, force=True)

    restarted.kill()

    assert restarted.again().service()["status"] == "INACTIVE"
