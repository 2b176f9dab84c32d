"""Telling: after a pass, the pull requests that brought what was released hear what became of it.

Comes in: where an environment stands after a pass, and what the pass wrote to the record. Goes out: one comment for
each environment in each pull request, edited in place, and the same text for the run's summary. What is asked of the
forge is asked beside the releases; what it does not answer is said and stops nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from releasectl import outcome
from releasectl.active import active
from releasectl.comment import code, text
from releasectl.errors import ControllerError
from releasectl.forge import Forge
from releasectl.mirror import Mirrored
from releasectl.next_step import Action
from releasectl.reconcile import Standing
from releasectl.record import Deployment, Kind
from releasectl.target import release_path, settings_path
from releasectl.way_back import AUTOMATIC
from releasectl.world import World

MOST = 5  # commits whose pull requests are looked for after one deployment


@dataclass(frozen=True)
class Letter:
    """A text for the pull request of a commit, and another for those of the commits that it passed by."""

    commit: str
    text: str
    passed: tuple[str, ...] = ()
    for_passed: str = ""


@dataclass(frozen=True)
class Teller:
    """`summary` takes a text for the run's page."""

    world: World
    forge: Forge
    mirrored: Mirrored
    summary: Callable[[str], None]

    def passed(self, environment: str, stands: Standing | ControllerError) -> None:
        """Tell what a pass came to; nothing of one that wrote nothing and waits for nothing."""
        if isinstance(stands, ControllerError):
            self.summary(f"### {code(environment)}: {text(stands.message)}\n\n{text(stands.remedy)}")
            return
        self.mirrored.finish(environment, stands.situation.history)
        letters = {letter.commit: letter for letter in self._letters(stands)}  # of several attempts the last
        for letter in letters.values():
            self.summary(letter.text)
            if letter.commit:
                self.mirrored.beside.later(partial(self._send, environment, letter))

    def _letters(self, stands: Standing) -> Iterator[Letter]:
        history = stands.situation.history
        for index in reversed(range(len(history))):
            one = history[index]
            if one.id in self.mirrored.written and one.phase.is_over:
                yield self._ended(stands, index)
        under_way = history and not history[0].phase.is_over
        if stands.step.action is Action.WAIT and not under_way:
            yield self._waiting(stands)

    def _ended(self, stands: Standing, index: int) -> Letter:
        history = stands.situation.history
        one, now = history[index], active(history)
        back = self._back(history[index - 1]) if index else ""
        told = outcome.markdown(outcome.ended(one, now, step=stands.step, back=back))
        passed = self._passed_by(one, history[index + 1]) if index + 1 < len(history) else ()
        return Letter(self._brought(one), told, passed, outcome.markdown(outcome.superseded(one, now)))

    def _waiting(self, stands: Standing) -> Letter:
        wanted, now = stands.target, active(stands.situation.history)
        landed = self.world.desired.landed(wanted.commit, *wanted.files)
        pinned = (
            f"{name} {pin.version or pin.digest[:19]}" for name, pin in wanted.release.services.items() if pin.digest
        )
        told = outcome.waits(wanted.environment, ", ".join(pinned), now, stands.step)
        return Letter(landed.commit if landed else "", outcome.markdown(told))

    def _brought(self, one: Deployment) -> str:
        """The commit that changed the environment's files last, up to the one that was deployed."""
        landed = self.world.desired.landed(one.commit, *_paths(one.environment))
        return landed.commit if landed else ""

    def _back(self, newer: Deployment) -> str:
        """The commit of an automatic way back."""
        return self._brought(newer) if newer.kind is Kind.ROLLBACK and newer.action == AUTOMATIC else ""

    def _passed_by(self, one: Deployment, before: Deployment) -> tuple[str, ...]:
        """What changed the environment's files since the deployment before, and was never deployed by itself."""
        if one.attempt > 1 or one.kind is Kind.ROLLBACK:
            return ()
        try:
            between = self.world.desired.commits(before.commit, one.commit, *_paths(one.environment))
        except ControllerError:  # main was rewritten
            return ()
        return tuple(each.sha for each in between)[:MOST]

    def _send(self, environment: str, letter: Letter) -> None:
        mine = {one.number for one in self.forge.pulls.of(letter.commit)}
        others = {one.number for sha in letter.passed for one in self.forge.pulls.of(sha)} - mine
        for numbers, body in ((mine, letter.text), (others, letter.for_passed)):
            for number in sorted(numbers):
                self.forge.comments.put(number, outcome.marker(environment), body)


def _paths(environment: str) -> tuple[str, str]:
    return release_path(environment), settings_path(environment)
