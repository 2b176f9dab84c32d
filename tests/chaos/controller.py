"""The controller with a clock that jumps: `python -m tests.chaos.controller OFFSET AFTER ENVIRONMENT`.

Comes in: seconds by which the clock is wrong, and how long after the start. Goes out: what `releasectl reconcile
ENVIRONMENT --json` prints, and its exit code. The world is the real one but for its clock.
"""

import sys
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from releasectl.commands import print_json, real_world
from releasectl.edges.clock import Clock
from releasectl.errors import ControllerError
from releasectl.reconcile import as_json, reconcile


@dataclass(frozen=True)
class Jumping(Clock):
    """The host's clock, wrong by `offset` seconds from `at` (monotonic) on."""

    offset: float = 0.0
    at: float = 0.0

    def now(self) -> datetime:
        """What a wrong clock says."""
        wrong = timedelta(seconds=self.offset if time.monotonic() >= self.at else 0.0)
        return super().now() + wrong


def main() -> int:
    """One pass."""
    offset, after, environment = float(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    try:
        world = replace(real_world(), clock=Jumping(offset, time.monotonic() + after))
        standing = reconcile(environment, world)
    except ControllerError as error:
        print(f"error: {error.message}\n  {error.remedy}", file=sys.stderr)
        return error.exit_code
    print_json(as_json(standing))
    return standing.exit_code


if __name__ == "__main__":
    sys.exit(main())
