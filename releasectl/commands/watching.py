"""Watching: a pass as it is, or one that GitHub shows: its page of deployments, the pull requests, the run's summary.

Comes in: whether somebody asked for GitHub. Goes out: the world that a pass is made in, and where it tells what it
came to. GitHub is asked with little patience, by a thread of its own: a pass waits for it at its very end alone, and
not for long.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from releasectl.beside import Beside
from releasectl.commands import real_world, say
from releasectl.commands.proposing import real_forge
from releasectl.errors import ControllerError, Interrupted
from releasectl.mirror import Mirrored
from releasectl.reconcile import Standing
from releasectl.telling import Teller
from releasectl.world import World

PATIENCE = 5.0  # seconds for one question, with all that is asked again
LAST, HURRIED = 45.0, 5.0  # seconds at the end of a pass, and of one that was interrupted


@dataclass(frozen=True)
class Watched:
    """`teller` is None where nobody asked for GitHub: then a merge need not start a run, either."""

    world: World
    teller: Teller | None = None

    @property
    def prompt(self) -> bool:
        """Should each merge have started a run?"""
        return self.teller is not None

    def passed(self, environment: str, stands: Standing | ControllerError) -> None:
        """Tell what a pass came to."""
        if self.teller:
            self.teller.passed(environment, stands)


@contextmanager
def watching(environment: str | None, *, on_github: bool) -> Iterator[Watched]:
    """A pass over one environment, or over all. Raises NoGithub before anything is done."""
    from releasectl.edges.step_summary import StepSummary

    world = real_world()
    if not on_github:
        yield Watched(world)
        return
    forge, beside, longest = real_forge(PATIENCE), Beside(say), LAST
    mirrored = Mirrored(world.records, forge.mirror, beside, say, environment or "")
    world = replace(world, records=mirrored)
    teller = Teller(world, forge, mirrored, StepSummary(os.environ, say).add)
    try:
        yield Watched(world, teller)
    except (Interrupted, KeyboardInterrupt):
        longest = HURRIED
        raise
    except ControllerError as error:
        if environment:  # of all of them, each was told by itself
            teller.passed(environment, error)
        raise
    finally:
        if not beside.wait(longest):
            say("GitHub takes too long: the rest is not shown there; a later pass sets its deployments right")
