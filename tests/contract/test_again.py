"""Asking again: until it works, until it is wrong, or until our patience is over."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from releasectl.edges.again import PATIENCE, ForNow, WrongPatience, again, patience, retry_after
from releasectl.errors import ControllerError


class Odd(ControllerError):
    """Of the test."""


def failing(times: int, error: Exception) -> tuple[Callable[[], str], list[float]]:
    """A call that works after some failures, and when it was made."""
    made: list[float] = []

    def call() -> str:
        made.append(time.monotonic())
        if len(made) <= times:
            raise error
        return "done"

    return call, made


def test_what_works_is_asked_once() -> None:
    call, made = failing(0, ValueError())

    assert (again(call), len(made)) == ("done", 1)


def test_what_may_work_in_a_moment_is_asked_again() -> None:
    call, made = failing(3, ForNow(Odd("away", "Wait.")))

    assert (again(call, first=0.01), len(made)) == ("done", 4)


@pytest.mark.parametrize("error", [Odd("wrong", "Mend it."), ValueError()])
def test_what_is_wrong_is_asked_once(error: Exception) -> None:
    call, made = failing(3, error)

    with pytest.raises(type(error)):
        again(call, first=0.01)
    assert len(made) == 1


def test_when_patience_is_over_the_last_cause_is_told_with_how_long_it_was_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PATIENCE, "0.2")
    call, made = failing(1000, ForNow(Odd("asking x: away", "Wait.")))

    with pytest.raises(Odd) as caught:
        again(call, first=0.02, longest=0.05)
    assert caught.value.message == f"asking x: away (asked {len(made)} times in 0 s)"
    assert caught.value.remedy == "Wait."
    assert made[-1] - made[0] <= 0.2


def test_a_wait_that_we_were_asked_for_is_kept_and_one_beyond_our_patience_is_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PATIENCE, "1")
    call, made = failing(1, ForNow(Odd("throttled", "Wait."), after=0.3))
    again(call, first=0.01)
    assert made[1] - made[0] >= 0.3

    call, made = failing(1, ForNow(Odd("throttled", "Wait."), after=2))
    with pytest.raises(Odd, match=r"\(asked once\)"):
        again(call, first=0.01)
    assert len(made) == 1


def test_the_time_before_the_first_failure_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE, "0.1")
    tries: list[int] = []

    def call() -> str:
        tries.append(1)
        if len(tries) > 1:
            return "done"
        time.sleep(0.2)
        raise ForNow(Odd("broke off at its end", "Wait."))

    assert again(call, first=0.01) == "done"


def test_patience_is_a_minute_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PATIENCE, raising=False)
    assert patience() == 60
    monkeypatch.setenv(PATIENCE, "soon")
    with pytest.raises(WrongPatience, match="'soon'"):
        patience()


def test_a_time_to_wait_is_understood_in_both_of_its_forms() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=30), usegmt=True)

    assert retry_after("7") == 7
    assert 25 < retry_after(later) <= 30
    assert [retry_after(told) for told in ("", "soon", past, "-1")] == [0, 0, 0, 0]
