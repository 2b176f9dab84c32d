"""Waiting for what a real process does."""

import time
from collections.abc import Callable

TIMEOUT = 30.0


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; a test that waits in vain says so."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
