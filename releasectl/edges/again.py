"""Again: what a network does not do now it may do in a moment, so it is asked again, with jitter, until a deadline.

Comes in: a call that raises `ForNow` around the error to tell in the end. Goes out: what the call gives, or that
error with how often and how long it was tried. It never asks again what was denied or was wrong; each edge says
by `ForNow` what passes by itself, and makes sure that being asked twice does no harm.
"""

import email.utils
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import tenacity

from releasectl.errors import ControllerError

PATIENCE = "RELEASECTL_PATIENCE"  # seconds, in the environment
T = TypeVar("T")


class WrongPatience(ControllerError):
    """RELEASECTL_PATIENCE is no number of seconds.

    Why: The variable says for how long an outside that does not answer is asked again.
    Do: Set `RELEASECTL_PATIENCE` to seconds, such as 60, or unset it.
    """

    exit_code = 2


class ForNow(Exception):
    """It may work in a moment. `error` is what to tell when it does not; `after` the seconds that we were asked for."""

    def __init__(self, error: ControllerError, after: float = 0.0) -> None:
        super().__init__(error.message)
        self.error, self.after = error, after


def patience() -> float:
    """For how many seconds an outside that does not answer is asked again. Raises WrongPatience."""
    told = os.environ.get(PATIENCE, "60")
    try:
        return float(told)
    except ValueError as error:
        raise WrongPatience(
            f"reading {PATIENCE} from the environment: {told!r}", "Give seconds, such as 60."
        ) from error


def again(call: Callable[[], T], *, first: float = 0.5, longest: float = 10.0, limit: float | None = None) -> T:
    """What `call` gives; while it raises ForNow, again after a random wait of up to `first`, doubled up to `longest`.

    Ends with the error inside ForNow once the next wait would pass the deadline, which counts from the first failure:
    a long transfer that breaks at its end is worth another try. `limit` is for who has even less patience.
    """
    most = patience()
    limit, failures = most if limit is None else min(limit, most), list[float]()
    pause = tenacity.wait_random_exponential(multiplier=first, max=longest)

    def wait(state: tenacity.RetryCallState) -> float:
        return max(pause(state), _for_now(state).after)

    def is_over(state: tenacity.RetryCallState) -> bool:
        failures.append(time.monotonic())
        return time.monotonic() - failures[0] + state.upcoming_sleep > limit

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(ForNow), wait=wait, stop=is_over, reraise=True
    )  # fmt: skip
    try:
        return retrying(call)
    except ForNow as last:
        since = time.monotonic() - failures[0]
        times = f"{len(failures)} times in {since:.0f} s" if len(failures) > 1 else "once"
        tried = f"{last.error.message} (asked {times})"
        raise type(last.error)(tried, last.error.remedy) from last


def retry_after(told: str) -> float:
    """Seconds that the header Retry-After asks for, in either of its forms; 0 when it says nothing."""
    if told.isdigit():
        return float(told)
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _for_now(state: tenacity.RetryCallState) -> ForNow:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, ForNow)  # noqa: S101 - nothing else is asked again
    return error
