"""The small ones: records, registry, notifier, clock."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from releasectl import record
from releasectl.errors import ControllerError, Stale
from releasectl.image_facts import ImageFacts
from releasectl.locks import Lock
from releasectl.record import Deployment, Moment
from releasectl.recover import CannotTell
from tests.twins.project import REGION, START, Down, Fault

_read = functools.lru_cache(maxsize=4096)(record.read)  # long histories are read again and again


@dataclass
class Records:
    """The branch of deployments: the bytes of its files. `faults` are for the next writes, None lets one pass."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault | None] = field(default_factory=list)
    before_next_open: Callable[[], None] | None = None

    def history(self, environment: str, count: int) -> tuple[Deployment, ...]:
        return tuple(_read(path, self.files[path]) for path in record.newest(self.files, environment, count))

    def open(self, deployment: Deployment, after: str) -> None:
        if self.before_next_open:
            intruder, self.before_next_open = self.before_next_open, None
            intruder()
        newest = record.newest(self.files, deployment.environment, 1)
        if (newest[0].rsplit("/", 1)[-1].removesuffix(".jsonl") if newest else "") != after:
            raise Stale(f"recording deployment {deployment.id}: another came first", "Run the same command again.")
        self._write(deployment.path, record.first_line(deployment))

    def add(self, deployment: Deployment, moment: Moment | None, **facts: object) -> Deployment:
        line = record.next_line(moment, **facts)
        self._write(deployment.path, record.grown(deployment, self.files.get(deployment.path), line))
        return record.read(deployment.path, record.first_line(deployment) + line)

    def next_write_is_lost(self, *, after: int = 0) -> None:
        """The write after `after` good ones does not reach the remote."""
        self.faults = [*[None] * after, Fault(Down("talking to the remote: no answer", "Try again."))]

    def _write(self, path: str, content: bytes) -> None:
        fault = self.faults.pop(0) if self.faults else None
        if fault is None or fault.done:
            self.files[path] = content
        if fault is not None:
            raise fault.error


@dataclass
class Registry:
    """Repositories: the digests in them, each with the children of an index."""

    repositories: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    tagged: dict[tuple[str, str], str] = field(default_factory=dict)
    shielded: set[tuple[str, str]] = field(default_factory=set)
    known: dict[str, ImageFacts] = field(default_factory=dict)  # by digest
    copied: list[tuple[str, str, str]] = field(default_factory=list)  # from, to, digest
    faults: list[ControllerError] = field(default_factory=list)

    def push(self, repository: str, pushed: str, *children: str) -> None:
        """What a build does."""
        self.repositories.setdefault(repository, {})[pushed] = children

    def images(self, region: str, repository: str, digest: str) -> tuple[str, ...]:
        self._fail(region)
        found = self.repositories.get(repository, {})
        return (digest, *found[digest]) if digest in found else ()

    def digest(self, region: str, repository: str, tag: str) -> str:
        self._fail(region)
        return self.tagged.get((repository, tag), "")

    def copy(self, source_region: str, source: str, target_region: str, target: str, *, digest: str) -> None:
        self._fail(source_region)
        self._fail(target_region)
        children = self.repositories[source][digest]
        self.repositories.setdefault(target, {})[digest] = children
        self.copied.append((source, target, digest))

    def facts(self, region: str, repository: str, digest: str) -> ImageFacts:
        self._fail(region)
        return self.known.get(digest, ImageFacts()) if digest in self.repositories.get(repository, {}) else ImageFacts()

    def shield(self, region: str, repository: str, digest: str) -> None:
        self._fail(region)
        if digest in self.repositories.get(repository, {}):
            self.shielded.add((repository, digest))
            self.tagged[repository, f"release-{digest.removeprefix('sha256:')[:12]}"] = digest

    def _fail(self, region: str) -> None:
        assert region == REGION, "asked in another region than the environment's"
        if self.faults:
            raise self.faults.pop(0)


@dataclass(frozen=True)
class Message:
    """One page."""

    region: str
    topic: str
    subject: str
    text: str


@dataclass
class Notifier:
    """A way to reach people."""

    told: list[Message] = field(default_factory=list)
    faults: list[ControllerError] = field(default_factory=list)

    def tell(self, region: str, topic: str, *, subject: str, text: str) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.told.append(Message(region, topic, subject, text))


@dataclass
class Clock:
    """Time that passes only where somebody waits."""

    time: datetime = START
    slept: list[float] = field(default_factory=list)
    when_slept: Callable[[], object] = field(default=lambda: None)

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)
        self.when_slept()


@dataclass
class Locks:
    """The locks of the backend; `living` are those whose process is alive."""

    there: list[Lock] = field(default_factory=list)
    living: set[str] = field(default_factory=set)  # by where
    removed: list[Lock] = field(default_factory=list)
    made_readable: list[str] = field(default_factory=list)
    everywhere: bool = False  # locks count for every environment, whatever their names

    def held(self, backend: str, project: str, environment: str) -> tuple[Lock, ...]:
        assert (backend, project) == ("", "release-controller")
        return tuple(lock for lock in self.there if self.everywhere or lock.where.startswith(f"{environment}/"))

    def make_readable(self, backend: str, project: str, environment: str) -> tuple[str, ...]:
        assert (backend, project) == ("", "release-controller")
        self.made_readable.append(environment)
        return ()

    def lives(self, lock: Lock) -> bool:
        return lock.where in self.living

    def remove(self, lock: Lock) -> None:
        self.there.remove(lock)
        self.removed.append(lock)


@dataclass
class Runs:
    """Runs of the CI: when each ended, None while it goes on; of any other nobody can tell."""

    known: dict[str, datetime | None] = field(default_factory=dict)

    def ended(self, run: str) -> datetime | None:
        if run not in self.known:
            raise Down(f"asking for {run}: no answer", "Try again.")
        return self.known[run]


@dataclass
class Orphans:
    """Objects of the cloud that no state knows, by type; a type that is not there cannot be looked up."""

    there: dict[str, str | None] = field(default_factory=dict)
    made: datetime = START + timedelta(days=1)

    def find(
        self, region: str, kind: str, inputs: Mapping[str, object], *, since: datetime | None = None
    ) -> str | None:
        assert (region, isinstance(inputs, Mapping)) == (REGION, True)
        if kind not in self.there:
            raise CannotTell(f"looking for an object of type {kind}: nobody can tell", "Look for it.")
        return self.there[kind] if since is None or since <= self.made else None
