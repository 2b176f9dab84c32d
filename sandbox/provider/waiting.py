"""Waiting as terraform-provider-aws does it: for a state, through the states that may come before.

Comes in: how to look, what is wanted, what is pending, how long. Goes out: nothing, or Failed in the provider's words.
"""

import time
from collections.abc import Callable

from sandbox.provider.resource import Failed

POLL_SECONDS = 0.2


def until(
    look: Callable[[], str], wanted: tuple[str, ...], pending: tuple[str, ...], *, doing: str, seconds: float
) -> None:
    """Poll until one of `wanted`; any state but the pending ones is an error."""
    deadline = time.monotonic() + seconds
    while (state := look()) not in wanted:
        if state not in pending:
            raise Failed(f"{doing}: unexpected state '{state}', wanted target '{', '.join(wanted)}'")
        if time.monotonic() > deadline:
            target = f"state to become '{', '.join(wanted)}' (last state: '{state}', timeout: {_written(seconds)})"
            raise Failed(f"{doing}: timeout while waiting for {target}")
        time.sleep(POLL_SECONDS)


def _written(seconds: float) -> str:
    return f"{int(seconds // 60)}m{int(seconds % 60)}s"
