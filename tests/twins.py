"""Twins of the outside, in memory, with faults that a test orders in words.

One twin for each protocol of `releasectl/world.py`; the contract tests run the same cases on a twin and on its real
edge. A `Scene` is a whole world of twins around one simulated cloud, in which an update that App Runner does not
like is a green one with the old image, as on AWS.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from releasectl import record
from releasectl.edges.git import Stale, UnknownCommit
from releasectl.errors import ControllerError, Retry
from releasectl.record import Deployment, Holder, Moment
from releasectl.target import release_path, settings_path
from releasectl.world import World
from tests.cloud import REGION, Cloud, Engine, Live, arn, repository

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HERE = Holder("here", "boot-1", 4711)
ELSEWHERE = Holder("elsewhere", "boot-9", 99, "https://ci.example/runs/7")
PIPELINE = b"""\
schema: 1
environments:
  - {name: staging, soak: 0s, gates: [], rollback: commit, watch: 5s}
  - {name: production, promotes_from: staging, soak: 0s, gates: [], rollback: commit, watch: 5s}
services:
  web: {repository: "", path: service}
"""
SETTINGS = b'config:\n  aws:region: eu-west-1\n  release-controller:backend: ""\n'


class Down(ControllerError):
    """The fault that tests order where any machinery will do."""

    retry = Retry.BACKOFF


@dataclass(frozen=True)
class Fault:
    """What happens at the next call: `error` is raised, after the effect if `done`, else instead of it."""

    error: BaseException
    done: bool = False


def digest(seed: str) -> str:
    """A digest for people who think in letters: digest("A")."""
    return f"sha256:{hashlib.sha256(seed.encode()).hexdigest()}"


def release_file(program: str, pinned: str, *, restart: str = "", commit: str = "", service: str = "web") -> bytes:
    """A release file of one service."""
    return (
        f'schema: 1\nprogram: "{program}"\nservices:\n  {service}:\n    digest: "{pinned}"\n    version: ""\n'
        f'    commit: "{commit}"\n    restart: "{restart}"\n'
    ).encode()


@dataclass(frozen=True)
class Commit:
    """A commit of the twin's history; `files` is the whole tree."""

    id: str
    parent: str
    files: Mapping[str, bytes]
    by: str
    subject: str


@dataclass
class Desired:
    """Git, as far as it says what should run."""

    commits: dict[str, Commit] = field(default_factory=dict)
    tips: dict[str, str] = field(default_factory=dict)
    faults: list[ControllerError] = field(default_factory=list)

    def commit(self, files: Mapping[str, bytes], *, branch: str = "main", by: str = "Ann", subject: str = "A") -> str:
        """What somebody else does: a commit on the remote's branch, which begins at main."""
        parent = self.tips.get(branch) or self.tips.get("main", "")
        tree = {**(self.commits[parent].files if parent else {}), **files}
        identifier = hashlib.sha1(f"{len(self.commits)}".encode(), usedforsecurity=False).hexdigest()
        self.commits[identifier] = Commit(identifier, parent, tree, by, subject)
        self.tips[branch] = identifier
        return identifier

    def fetch(self, branch: str = "main") -> str:
        if self.faults:
            raise self.faults.pop(0)
        return self.tips.get(branch, "")

    def read(self, commit: str, path: str) -> bytes | None:
        return self.commits[commit].files.get(path)

    def is_ancestor(self, older: str, newer: str) -> bool:
        self._known(older)
        return older in [commit.id for commit in self._history(self._known(newer))]

    def export(self, commit: str, folder: Path) -> None:
        for path, raw in self._known(commit).files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(raw)

    def why(self, commit: str, *paths: str) -> tuple[str, str]:
        for each in self._history(self._known(commit)):
            before = self.commits[each.parent].files if each.parent else {}
            if any(each.files.get(path) != before.get(path) for path in paths):
                return each.by, each.subject
        return "", ""

    def _known(self, commit: str) -> Commit:
        if commit not in self.commits:
            raise UnknownCommit(f"looking for commit {commit}: the remote does not have it", "Pin another.")
        return self.commits[commit]

    def _history(self, commit: Commit) -> Iterator[Commit]:
        yield commit
        while commit.parent:
            commit = self.commits[commit.parent]
            yield commit


@dataclass
class Records:
    """The branch of deployments: the bytes of its files. `faults` are for the next writes, None lets one pass."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault | None] = field(default_factory=list)
    before_next_open: Callable[[], None] | None = None

    def history(self, environment: str, count: int) -> tuple[Deployment, ...]:
        return tuple(record.read(path, self.files[path]) for path in record.newest(self.files, environment, count))

    def open(self, deployment: Deployment, after: str) -> None:
        if self.before_next_open:
            intruder, self.before_next_open = self.before_next_open, None
            intruder()
        newest = record.newest(self.files, deployment.environment, 1)
        if (newest[0].rsplit("/", 1)[-1].removesuffix(".jsonl") if newest else "") != after:
            raise Stale(f"recording deployment {deployment.id}: another came first", "Run the same command again.")
        self._write(deployment.path, record.first_line(deployment))

    def add(self, deployment: Deployment, moment: Moment, **facts: object) -> Deployment:
        line = record.next_line(moment, **facts)
        self._write(deployment.path, self.files.get(deployment.path, record.first_line(deployment)) + line)
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
    shielded: set[tuple[str, str]] = field(default_factory=set)
    faults: list[ControllerError] = field(default_factory=list)

    def push(self, repository: str, pushed: str, *children: str) -> None:
        """What a build does."""
        self.repositories.setdefault(repository, {})[pushed] = children

    def images(self, region: str, repository: str, digest: str) -> tuple[str, ...]:
        self._fail(region)
        found = self.repositories.get(repository, {})
        return (digest, *found[digest]) if digest in found else ()

    def shield(self, region: str, repository: str, digest: str) -> None:
        self._fail(region)
        if digest in self.repositories.get(repository, {}):
            self.shielded.add((repository, digest))

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

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


@dataclass
class Scene:
    """A project with a pipeline, settings and a program on main, in a world of twins."""

    folder: Path
    holder: Holder = HERE
    desired: Desired = field(default_factory=Desired)
    records: Records = field(default_factory=Records)
    registry: Registry = field(default_factory=Registry)
    cloud: Cloud = field(default_factory=Cloud)
    notifier: Notifier = field(default_factory=Notifier)
    clock: Clock = field(default_factory=Clock)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = Engine(self.cloud)
        self.live = Live(self.cloud, self.clock)
        files = {"pipeline.yaml": PIPELINE, "stacks/__main__.py": b""}
        for environment in ("staging", "production"):
            files |= {settings_path(environment): SETTINGS, release_path(environment): release_file("", "")}
        self.program = self.desired.commit(files, subject="The project")

    @property
    def world(self) -> World:
        """The world as the controller on `holder` sees it."""
        return World(
            desired=self.desired, records=self.records, registry=self.registry, engine=self.engine, live=self.live,
            notifier=self.notifier, clock=self.clock, holder=self.holder, folder=self.folder, say=self.said.append,
        )  # fmt: skip

    def pin(self, pinned: str, *, environment: str = "staging", program: str = "", restart: str = "") -> str:
        """Somebody merges a release."""
        raw = release_file(program or self.program, pinned, restart=restart)
        return self.desired.commit({release_path(environment): raw}, by="Bo", subject=f"Pin {pinned[:12]}")

    def push(self, *pushed: str, environment: str = "staging") -> None:
        """A build brings images into the environment's registry."""
        for each in pushed:
            self.registry.push(repository(environment, "web"), each)

    def history(self, environment: str = "staging") -> list[Deployment]:
        """All deployments, oldest first."""
        return list(reversed(self.records.history(environment, 1000)))

    def phases(self, environment: str = "staging") -> list[str]:
        """How each deployment ended, oldest first."""
        return [str(deployment.phase) for deployment in self.history(environment)]

    @property
    def serves(self) -> str:
        """The digest that serves in staging."""
        return self.cloud.services[arn("staging", "web")].digest
