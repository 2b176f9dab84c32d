"""Time, the same on the twin and on the host's clock; and who we are."""

import os
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from releasectl.edges import clock as real
from releasectl.record import Holder
from releasectl.world import Clock
from tests.twins import Clock as Twin


@pytest.fixture(params=[Twin(), real.Clock()], ids=["twin", "host"])
def clock(request: pytest.FixtureRequest) -> Clock:
    found: Clock = request.param
    return found


class TestClock:
    """The contract."""

    def test_now_is_in_utc(self, clock: Clock) -> None:
        assert clock.now().tzinfo is UTC

    def test_after_a_sleep_at_least_that_time_has_passed(self, clock: Clock) -> None:
        before = clock.now()
        clock.sleep(0.02)

        assert clock.now() - before >= timedelta(seconds=0.02)


FOLDER = Path("work")


def test_a_holder_is_this_process_on_this_boot_of_this_host() -> None:
    holder = real.holder({}, FOLDER)

    assert (holder.pid, holder.run) == (os.getpid(), "")
    assert holder.host
    assert holder == real.holder({}, FOLDER)


@pytest.mark.parametrize(("attempt", "ending"), [({"GITHUB_RUN_ATTEMPT": "2"}, "/attempts/2"), ({}, "")])
def test_a_holder_in_ci_names_its_run_and_its_attempt(attempt: dict[str, str], ending: str) -> None:
    variables = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "7"}

    assert real.holder(variables | attempt, FOLDER) == Holder(
        host=real.holder({}, FOLDER).host,
        boot=real.holder({}, FOLDER).boot,
        pid=os.getpid(),
        run=f"https://github.com/a/b/actions/runs/7{ending}",
        folder=str(FOLDER),
    )
