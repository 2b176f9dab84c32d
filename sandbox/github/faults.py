"""Bad weather to order: each fault meets the next requests of its kind, as often as was ordered.

Comes in: orders. Goes out: the fault that a request meets, and how GitHub would say it. What a fault of another kind
than `stale` does to a write is in its name: before it was done, or after.
"""

import re
import time
from dataclasses import dataclass
from enum import StrEnum

from sandbox.github.asked import No


class Kind(StrEnum):
    """What goes wrong."""

    STALE = "stale"  # a read answers with what was before the last write
    PRIMARY = "primary"  # the hour's requests are used up; not done
    SECONDARY = "secondary"  # too much at once, with Retry-After; not done
    SECONDARY_MUTE = "secondary-mute"  # the same, and only the message says so
    BROKEN = "broken"  # 502, not done
    BROKEN_AFTER = "broken-after"  # 502, and done
    CUT = "cut"  # the line is cut, not done
    LOST = "lost"  # the line is cut, and it is done
    SLOW = "slow"  # done, and the answer takes its time
    REPEATED = "repeated"  # a page begins with the end of the page before it
    RIVAL = "rival"  # just before it, somebody commits to `branch`
    MOVED = "moved"  # the base of a merge moves in its middle: 409
    GARBLED = "garbled"  # 200, with a body that is none


REFUSING = (Kind.PRIMARY, Kind.SECONDARY, Kind.SECONDARY_MUTE, Kind.BROKEN, Kind.CUT)


@dataclass
class Fault:
    """`path` is a regular expression over the path. `seconds` belongs to slow and to the limits."""

    kind: Kind
    method: str = ""
    path: str = ""
    times: int = 1
    seconds: float = 1.0
    branch: str = "main"

    def meets(self, method: str, path: str) -> bool:
        """Is it this request's?"""
        return self.times > 0 and self.method in ("", method) and re.search(self.path, path) is not None


def refusal(fault: Fault) -> tuple[No, dict[str, str]]:
    """The answer and its headers of a fault that does nothing else."""
    if fault.kind is Kind.PRIMARY:
        reset = str(int(time.time() + fault.seconds))
        return No(403, "API rate limit exceeded for installation ID 1."), {
            "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset,
        }  # fmt: skip
    if fault.kind in (Kind.SECONDARY, Kind.SECONDARY_MUTE):
        after = {} if fault.kind is Kind.SECONDARY_MUTE else {"Retry-After": str(int(fault.seconds))}
        return No(
            403, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
        ), after
    return No(502, "Server Error"), {}
