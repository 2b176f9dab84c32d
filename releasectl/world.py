"""World: what the core asks of the outside, as a few small protocols in one frozen value.

The command line builds the real one from `edges/`; tests build one of twins that pass the same contract tests.
Nothing here has a default: whoever makes a World says what is real.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from releasectl.apply import Result
from releasectl.drift import Refreshed
from releasectl.image_facts import ImageFacts
from releasectl.locks import Lock
from releasectl.missed import Landed
from releasectl.outputs import Service
from releasectl.plan import Plan
from releasectl.record import Deployment, Holder, Moment, Worker
from releasectl.release_notes import Commit
from releasectl.verify import Observation


class Desired(Protocol):
    """Git, as far as it says what should run."""

    def fetch(self, branch: str = "main") -> str:
        """The remote's tip of the branch, "" without one."""

    def read(self, commit: str, path: str) -> bytes | None:
        """A file's bytes at a commit, None when it is not there."""

    def list(self, commit: str, folder: str) -> tuple[str, ...]:
        """Paths of all files below a folder at a commit, sorted."""

    def commit(
        self,
        branch: str,
        message: str | Callable[[], str],
        change: Callable[[str], Mapping[str, bytes | None]],
        *,
        start: str = "",
    ) -> str:
        """Commit to a branch of the remote by compare-and-swap; see edges/git.py."""

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Is one commit part of the history of the other?"""

    def commits(self, older: str, newer: str, *paths: str) -> tuple[Commit, ...]:
        """What `newer` has and `older` has not, newest first, as far as it changed one of the paths."""

    def landed(self, commit: str, *paths: str) -> Landed | None:
        """Which commit of main's own line, up to `commit`, last changed one of the paths, and when; None for none."""

    def user(self) -> str:
        """The name of whoever commits here."""

    def export(self, commit: str, folder: Path) -> None:
        """The whole tree of a commit into a new folder."""

    def why(self, commit: str, *paths: str) -> tuple[str, str, str]:
        """Who last changed one of the files, the first line of what they said, and the action of releasectl, or ""."""


class Records(Protocol):
    """The branch of deployments."""

    def history(self, environment: str, count: int) -> tuple[Deployment, ...]:
        """The newest deployments of an environment, newest first."""

    def open(self, deployment: Deployment, after: str) -> None:
        """Write a new deployment's first line; `after` is the id of the newest one that was seen ("" for none).

        Raises Stale when another deployment of the environment came between.
        """

    def add(self, deployment: Deployment, moment: Moment | None, **facts: object) -> Deployment:
        """Write a further line; the deployment with it. Raises Stale when somebody else wrote one since."""


class Registry(Protocol):
    """The image repositories."""

    def images(self, region: str, repository: str, digest: str) -> tuple[str, ...]:
        """The digest and, for an index, its children; () when the repository does not have it."""

    def digest(self, region: str, repository: str, tag: str) -> str:
        """The digest of the image that has a tag now, "" when none has it."""

    def copy(self, source_region: str, source: str, target_region: str, target: str, *, digest: str) -> None:
        """Copy an image with all that belongs to it, bytes unchanged."""

    def facts(self, region: str, repository: str, digest: str) -> ImageFacts:
        """What the image and its scan say."""

    def shield(self, region: str, repository: str, digest: str) -> None:
        """Tag a digest so that retention can never expire it."""


class Session(Protocol):
    """One worker with one environment's program."""

    def preview(self) -> Plan:
        """What would change."""

    def drift(self) -> Refreshed:
        """What is not as recorded, and what would take it back; changes nothing, not even the state."""

    def up(self, *, refresh: bool = False) -> Result:
        """Change it; with `refresh` also what is not as recorded."""

    def settle(self, made: Mapping[str, str]) -> None:
        """Give the state what was made, {urn: id}, of the last update's failed creates and of what is pending.

        What is pending and not named is forgotten.
        """

    def inventory(self) -> Plan:
        """Every resource of the cloud in the stack's state, as the deletion of it."""

    def destroy(self) -> Result:
        """Take all of it away, protected or not."""


class Engine(Protocol):
    """The engine on this machine."""

    def open(
        self,
        folder: Path,
        environment: str,
        *,
        message: str,
        variables: Mapping[str, str],
        secrets_provider: str,
        deadline: float,
    ) -> AbstractContextManager[Session]:
        """A worker in a folder whose `checkout` is ready; an update of it may take `deadline` seconds."""

    def result(self, folder: Path, word: str) -> Result | None:
        """What a worker left in a folder, None while there is nothing."""

    def hold(self, folder: Path) -> AbstractContextManager[bool]:
        """Work on the deployment of a folder, alone on this host; False while another controller does."""

    def is_running(self, folder: Path) -> bool:
        """Does a worker or its engine still work in a folder?"""

    def worker(self, folder: Path) -> Worker | None:
        """Who works in a folder; None where the folder is not to be seen from here."""

    def stop(self, folder: Path) -> None:
        """Ask the engine at work in a folder to end after its running step; asked again, to end at once."""

    def pid(self, folder: Path) -> int | None:
        """The pid that the engine of a folder's update had, None where there was none."""


class Locks(Protocol):
    """The locks of the state's backend."""

    def held(self, backend: str, project: str, environment: str) -> tuple[Lock, ...]:
        """Every lock of a stack. `backend` is the settings' one; what the person set wins."""

    def lives(self, lock: Lock) -> bool:
        """Does the process of a lock live on this host? False also for other hosts."""

    def make_readable(self, backend: str, project: str, environment: str) -> tuple[str, ...]:
        """Make a stack's state readable again that was left half-written; what was done, in words."""

    def remove(self, lock: Lock) -> None:
        """Take exactly this lock away; nothing when it is gone already."""


class Runs(Protocol):
    """Runs of the CI."""

    def ended(self, run: str) -> datetime | None:
        """When the run of a URL ended, None while it goes on. Raises ControllerError when that cannot be asked."""


class Orphans(Protocol):
    """Objects of the cloud that no state knows."""

    def find(
        self, region: str, kind: str, inputs: Mapping[str, object], *, since: datetime | None = None
    ) -> str | None:
        """The id of what the create of a resource made, None when there is none or it can simply be made again.

        `kind` is the resource's type; with `since` only what was made after it counts. Raises CannotTell for a type
        that nobody can look up.
        """


class Live(Protocol):
    """The running services."""

    def observe(self, region: str, service: Service, *, watch: float) -> Observation:
        """What a service says of itself; `watch` is how many seconds to look at its health."""


class Notifier(Protocol):
    """A way to reach people."""

    def tell(self, region: str, topic: str, *, subject: str, text: str) -> None:
        """Publish to a topic."""


class Clock(Protocol):
    """Time."""

    def now(self) -> datetime:
        """Now, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


@dataclass(frozen=True)
class World:
    """Everything outside, and who we are in it."""

    desired: Desired
    records: Records
    registry: Registry
    engine: Engine
    live: Live
    notifier: Notifier
    clock: Clock
    locks: Locks
    runs: Runs
    orphans: Orphans
    holder: Holder
    folder: Path  # where deployments have their work folders
    say: Callable[[str], None]  # progress, for people
