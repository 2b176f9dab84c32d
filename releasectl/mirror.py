"""Mirror: what is written to the record is shown on the forge's own page of deployments, as it is written.

Comes in: every write of a pass. Goes out: the same write, to the real record first; then, beside the release, one
deployment there for each of ours. What the forge does not take fails nothing and slows nothing: it is said once, and
a later pass sets the page right. They are told in order and none after a gap: so if the newest is right, all are.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from releasectl.beside import Beside
from releasectl.errors import ControllerError
from releasectl.forge import Mirror, Shown
from releasectl.plain_text import plain
from releasectl.record import Deployment, Ended, Kind, Moment, Phase
from releasectl.world import Records

LONGEST = 140  # characters of a description that GitHub takes
MOST = 5  # deployments that one pass sets right
_STATES = {
    Phase.APPLYING: "in_progress",
    Phase.VERIFYING: "in_progress",
    Phase.LIVE: "success",
    Phase.REFUSED: "failure",
    Phase.FAILED: "failure",
    Phase.ERRORED: "error",
}
_WORDS = {
    Phase.APPLYING: "applying {}",
    Phase.VERIFYING: "proving that {} serves and is well",
    Phase.LIVE: "live and proven: {}",
    Phase.REFUSED: "refused, nothing was changed: {}: {}",
    Phase.FAILED: "failed: {}: {}",
    Phase.ERRORED: "error: {}: {}",
}


def state(deployment: Deployment, *, is_newest: bool = True) -> str:
    """GitHub's word for where it stands. One that a signal stopped waits for the next pass, which opens a new one."""
    if deployment.ended is Ended.BY_SIGNAL:
        return "queued" if is_newest else "inactive"
    return _STATES[deployment.phase]


def words(deployment: Deployment) -> str:
    """What people read beside it, on one line that GitHub takes."""
    pinned = pins(deployment)
    if deployment.ended is Ended.BY_SIGNAL:
        said = f"interrupted, the next pass goes on: {pinned}"
    elif deployment.phase is Phase.LIVE and deployment.kind is Kind.ROLLBACK:
        said = f"rolled back, live and proven: {pinned}"
    else:
        said = _WORDS[deployment.phase].format(pinned, deployment.message)
    line = " ".join(plain(said).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def pins(deployment: Deployment) -> str:
    """Which versions it is about."""
    named = [f"{name} {pin.version or pin.digest[:19]}" for name, pin in deployment.services.items() if pin.digest]
    return ", ".join(named) or "no service yet"


def wanted(deployment: Deployment, *, is_newest: bool = True) -> Shown:
    """How it should be shown; `id` is the forge's business."""
    return Shown(
        0,
        deployment.id,
        state(deployment, is_newest=is_newest),
        _address(deployment) if deployment.phase is Phase.LIVE else "",
        deployment.holder.run if deployment.holder.run.startswith("https://") else "",
        words(deployment),
    )


def _address(deployment: Deployment) -> str:
    """Of the first public service."""
    services = deployment.outputs.get("services")
    declared = services.values() if isinstance(services, dict) else ()
    found = (str(one.get("url") or "") for one in declared if isinstance(one, dict) and not one.get("private"))
    return next((url for url in found if url.startswith("https://")), "")


@dataclass(frozen=True)
class Mirrored:
    """See world.Records. Only `environment` is mirrored, or all with "": a pass reads others, too."""

    records: Records
    mirror: Mirror
    beside: Beside
    say: Callable[[str], None]
    environment: str = ""
    written: dict[str, Deployment] = field(default_factory=dict)  # in this pass, by id
    _seen: dict[str, tuple[Deployment, ...]] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)  # the forge's ids, by ours
    _behind: dict[str, str] = field(default_factory=dict)  # environments whose page lacks something, and why

    def history(self, environment: str, count: int) -> tuple[Deployment, ...]:
        """The real record's. The first look of a pass sets the page right."""
        found = self.records.history(environment, count)
        if environment not in self._seen:
            self._set_right_later(environment, found)
        self._seen[environment] = found
        return found

    def open(self, deployment: Deployment, after: str) -> None:
        """To the real record, then shown."""
        self.records.open(deployment, after)
        before = next((one for one in self._seen.get(deployment.environment, ()) if one.id == after), None)
        if before is not None and state(before) != state(before, is_newest=False):
            self.beside.later(partial(self._show, before, is_newest=False))
        self._wrote(deployment)

    def add(self, deployment: Deployment, moment: Moment | None, **facts: object) -> Deployment:
        """To the real record, then shown."""
        grown = self.records.add(deployment, moment, **facts)
        self._wrote(grown)
        return grown

    def finish(self, environment: str, history: tuple[Deployment, ...]) -> None:
        """At the end of a pass: what it wrote is compared once more."""
        if any(one.id in self.written for one in history):
            self._set_right_later(environment, history)

    def _wrote(self, deployment: Deployment) -> None:
        self.written[deployment.id] = deployment
        self.beside.later(partial(self._show, deployment))

    def _set_right_later(self, environment: str, history: tuple[Deployment, ...]) -> None:
        if history and self.environment in ("", environment):
            self.beside.later(partial(self._trying, environment, partial(self._set_right, history)))

    def _show(self, deployment: Deployment, *, is_newest: bool = True) -> None:
        """Nothing is told after a gap."""
        if deployment.environment not in self._behind:
            self._trying(deployment.environment, partial(self._tell, deployment, is_newest=is_newest))

    def _trying(self, environment: str, job: Callable[[], None]) -> None:
        said = self._behind.pop(environment, "")
        try:
            job()
        except ControllerError as error:
            self._behind[environment] = error.message
            if not said:
                self.say(f"{environment}: {error.message}; the release goes on, a later pass shows the rest")

    def _set_right(self, history: tuple[Deployment, ...]) -> None:
        """Two questions where nothing is wrong."""
        newest = history[0]
        shown = self.mirror.newest(newest.environment)
        if shown and _is_right(shown, wanted(newest)):
            return
        for one in reversed(_lacking(history[:MOST], shown)):
            self._tell(one, is_newest=one is newest)

    def _tell(self, deployment: Deployment, *, is_newest: bool) -> None:
        known, right = self._numbers.get(deployment.id), wanted(deployment, is_newest=is_newest)
        number = known or self.mirror.open(
            deployment.environment, deployment.commit, key=deployment.id, description=pins(deployment)
        )
        self._numbers[deployment.id] = number
        self.mirror.tell(number, right.state, url=right.url, log=right.log, description=right.description)


def _is_right(shown: Shown, right: Shown) -> bool:
    """A success that GitHub made inactive gave way to what another workflow showed there: that is its business."""
    gave_way = (shown.key, shown.state, right.state) == (right.key, "inactive", "success")
    return gave_way or replace(shown, id=0) == right


def _lacking(history: tuple[Deployment, ...], shown: Shown | None) -> tuple[Deployment, ...]:
    """From the newest back to the one that is shown; where nothing of ours is, the newest is enough to begin with."""
    if shown is None:
        return history[:1]
    ids = [one.id for one in history]
    return history[: ids.index(shown.key) + 1] if shown.key in ids else history
