"""How much of a processor and of memory a running copy uses, all its children included.

Comes in: the process that leads the copy's session, what it may use. Goes out: percentages, or nothing where this
machine has no /proc. What cannot be measured is left out and is no zero.
"""

import contextlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Meter:
    """Usage of one copy since the last reading, as percent of `cpus` processors and `megabytes`."""

    pid: int
    cpus: float
    megabytes: float
    _before: tuple[float, float] = field(default_factory=lambda: (time.monotonic(), 0.0))

    def read(self) -> dict[str, float]:
        """CPUUtilization and MemoryUtilization of the time since the last call; empty when it cannot be known."""
        used = _session(self.pid)
        if used is None:
            return {}
        seconds, pages = used
        now, (then, before) = time.monotonic(), self._before
        self._before = now, seconds
        if now <= then or seconds < before:  # a child that ended took its seconds with it
            return {"MemoryUtilization": _percent(pages * _PAGE / 2**20, self.megabytes)}
        return {
            "CPUUtilization": _percent((seconds - before) / (now - then), self.cpus),
            "MemoryUtilization": _percent(pages * _PAGE / 2**20, self.megabytes),
        }


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 3)


def _session(leader: int) -> tuple[float, int] | None:
    """Processor seconds and resident pages of every process in the session that `leader` leads."""
    seconds, pages, found = 0.0, 0, False
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The name in brackets may hold anything; what follows it are numbers.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader:
                seconds += (int(fields[11]) + int(fields[12])) / _TICKS
                pages += int(fields[21])
                found = True
    return (seconds, pages) if found else None
