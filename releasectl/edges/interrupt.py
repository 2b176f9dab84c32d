"""Signals: Ctrl-C and SIGTERM, as an exception wherever we are, or counted while an engine of ours is at work.

Comes in: signals of this process. Goes out: KeyboardInterrupt, or how many came since. Everything outside an update
may be broken off at any point: what the next run needs is on record before. It never ends a process itself.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_came: list[int] = []
_counting: list[bool] = []


def install() -> None:
    """From now on both signals mean the same. In the main thread only."""
    for number in SIGNALS:
        signal.signal(number, _on)


@contextmanager
def counted() -> Iterator[Callable[[], int]]:
    """Inside, a signal breaks nothing off; the value tells how many came."""
    before = len(_came)
    _counting.append(True)
    try:
        yield lambda: len(_came) - before
    finally:
        _counting.pop()


def _on(number: int, _frame: FrameType | None) -> None:
    _came.append(number)
    if not _counting:
        raise KeyboardInterrupt
