"""Twins of the outside, in memory, with faults that a test orders in words.

One twin for each protocol of `releasectl/world.py`; the contract tests run the same cases on a twin and on its real
edge. A `Scene` is a whole world of twins around one simulated cloud, in which an update that App Runner does not
like is a green one with the old image, as on AWS.
"""

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from releasectl import record, release_notes
from releasectl.apply import Problem, Result
from releasectl.edges.git import Stale, UnknownCommit
from releasectl.edit import edit
from releasectl.errors import ControllerError, Retry
from releasectl.image_facts import ImageFacts
from releasectl.next_step import Worker
from releasectl.outputs import UNKNOWN, Service
from releasectl.plan import Plan, from_steps
from releasectl.record import Deployment, Holder, Moment
from releasectl.release import Pin, Release, parse_release
from releasectl.target import release_path, settings_path
from releasectl.verify import Answer, Observation, Operation
from releasectl.world import World

REGION = "eu-west-1"
ACCOUNT = "000000000000"
BOT = "bump bot"
ACTION = "Release-Action: "
START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HERE = Holder("here", "boot-1", 4711)
ELSEWHERE = Holder("elsewhere", "boot-9", 99, "https://ci.example/runs/7")
RUNTIME = "aws:apprunner/service:Service"
REPOSITORY = "aws:ecr/repository:Repository"
IMAGE_PATH = "sourceConfiguration.imageRepository.imageIdentifier"
SHAPE = [{"type": RUNTIME, "operations": ["create", "update"], "properties": [IMAGE_PATH]}]
PIPELINE = b"""\
schema: 1
environments:
  - {name: staging, soak: 0s, gates: [], rollback: commit, watch: 5s}
  - {name: production, promotes_from: staging, soak: 0s, gates: [], rollback: commit, watch: 5s}
services:
  web: {repository: "", path: service}
"""
SETTINGS = b'config:\n  aws:region: eu-west-1\n  release-controller:backend: ""\n'


class Died(BaseException):
    """Here the controller's process ended: nothing after this line of it was run."""


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
    return releases_file(program, {service: Pin(pinned, "", commit, restart)})


def releases_file(program: str, pins: Mapping[str, Pin]) -> bytes:
    """A release file of several services."""
    services = "".join(
        f'  {name}:\n    digest: "{pin.digest}"\n    version: "{pin.version}"\n    commit: "{pin.commit}"\n'
        f'    restart: "{pin.restart}"\n'
        for name, pin in pins.items()
    )
    return f'schema: 1\nprogram: "{program}"\nservices:\n{services}'.encode()


@dataclass(frozen=True)
class Commit:
    """A commit of the twin's history; `files` is the whole tree."""

    id: str
    parent: str
    files: Mapping[str, bytes]
    by: str
    message: str

    @property
    def subject(self) -> str:
        """The first line."""
        return self.message.partition("\n")[0]

    @property
    def action(self) -> str:
        """The trailer Release-Action: a line of the last paragraph, which is not the first."""
        paragraphs = self.message.strip().split("\n\n")
        lines = paragraphs[-1].splitlines() if len(paragraphs) > 1 else []
        return next((line[len(ACTION) :].strip() for line in lines if line.startswith(ACTION)), "")


@dataclass
class Desired:
    """Git, as far as it says what should run."""

    made: dict[str, Commit] = field(default_factory=dict)
    tips: dict[str, str] = field(default_factory=dict)
    faults: list[ControllerError] = field(default_factory=list)
    before_next_push: Callable[[], object] | None = None

    def merge(
        self, files: Mapping[str, bytes | None], *, branch: str = "main", by: str = "Ann", subject: str = "A"
    ) -> str:
        """What somebody else does: a commit on the remote's branch, which begins at main."""
        return self._write(branch, self.tips.get(branch) or self.tips.get("main", ""), files, (by, subject))

    def commit(
        self,
        branch: str,
        message: str | Callable[[], str],
        change: Callable[[str], Mapping[str, bytes | None]],
        *,
        start: str = "",
        attempts: int = 12,
    ) -> str:
        for _ in range(attempts):
            tip = self.fetch(branch)
            parent = tip or start
            files = change(parent)
            if not files:
                return parent
            words = message if isinstance(message, str) else message()
            if self.before_next_push:
                other, self.before_next_push = self.before_next_push, None
                other()
            if self.tips.get(branch, "") == tip:
                return self._write(branch, parent, files, ("releasectl", words))
        raise Stale(f"committing to {branch}: the branch moved under each of {attempts} attempts", "Run it again.")

    def _write(self, branch: str, parent: str, files: Mapping[str, bytes | None], said: tuple[str, str]) -> str:
        tree = {**(self.made[parent].files if parent else {}), **files}
        kept = {path: raw for path, raw in tree.items() if raw is not None}
        identifier = hashlib.sha1(f"{len(self.made)}".encode(), usedforsecurity=False).hexdigest()
        self.made[identifier] = Commit(identifier, parent, kept, *said)
        self.tips[branch] = identifier
        return identifier

    def fetch(self, branch: str = "main") -> str:
        if self.faults:
            raise self.faults.pop(0)
        return self.tips.get(branch, "")

    def read(self, commit: str, path: str) -> bytes | None:
        return self.made[commit].files.get(path)

    def list(self, commit: str, folder: str) -> tuple[str, ...]:
        paths = sorted(self.made[commit].files)
        return tuple(path for path in paths if folder in (".", path) or path.startswith(f"{folder}/"))

    def is_ancestor(self, older: str, newer: str) -> bool:
        self._known(older)
        return older in [commit.id for commit in self._history(self._known(newer))]

    def commits(self, older: str, newer: str, *paths: str) -> tuple[release_notes.Commit, ...]:
        known = {commit.id for commit in self._history(self._known(older))}
        return tuple(
            release_notes.Commit(each.id, each.by, each.subject)
            for each in self._history(self._known(newer))
            if each.id not in known and self._changes(each, paths)
        )

    def user(self) -> str:
        return "releasectl"

    def export(self, commit: str, folder: Path) -> None:
        for path, raw in self._known(commit).files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(raw)

    def why(self, commit: str, *paths: str) -> tuple[str, str, str]:
        for each in self._history(self._known(commit)):
            if self._changes(each, paths):
                return each.by, each.subject, each.action
        return "", "", ""

    def _changes(self, commit: Commit, paths: Iterable[str]) -> bool:
        """Did the commit change one of the files, or a file below one of the folders?"""
        before = self.made[commit.parent].files if commit.parent else {}
        changed = [path for path in {**before, **commit.files} if before.get(path) != commit.files.get(path)]
        return any(path == each or path.startswith(f"{each}/") for path in changed for each in paths)

    def _known(self, commit: str) -> Commit:
        if commit not in self.made:
            raise UnknownCommit(f"looking for commit {commit}: the remote does not have it", "Pin another.")
        return self.made[commit]

    def _history(self, commit: Commit) -> Iterator[Commit]:
        yield commit
        while commit.parent:
            commit = self.made[commit.parent]
            yield commit


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

    def _fail(self, region: str) -> None:
        assert region == REGION, "asked in another region than the environment's"
        if self.faults:
            raise self.faults.pop(0)


@dataclass
class Running:
    """What the cloud knows of one service. `digest` is what serves, `told` what the stack asked for."""

    digest: str
    operation: Operation
    commit: str
    restart: str


@dataclass
class Cloud:
    """An account. `bad` digests never get healthy there: App Runner goes back to the old image and says little."""

    services: dict[str, Running] = field(default_factory=dict)  # by ARN
    repositories: set[str] = field(default_factory=set)
    bad: set[str] = field(default_factory=set)
    red: set[str] = field(default_factory=set)  # digests that run and answer 500
    ringing: set[str] = field(default_factory=set)
    unreachable: bool = False
    updates: list[tuple[str, str]] = field(default_factory=list)  # every change of a service: ARN, digest
    log: tuple[str, ...] = ("boom: no database",)

    def run(self, arn: str, pinned: str, *, commit: str, restart: str) -> str:
        """Create or update a service; what the engine says of it when it failed."""
        old = self.services.get(arn)
        if old and (old.digest, old.restart) == (pinned, restart):
            return ""
        self.updates.append((arn, pinned))
        kind, number = ("UPDATE_SERVICE" if old else "CREATE_SERVICE"), str(len(self.updates))
        if pinned not in self.bad:
            self.services[arn] = Running(pinned, Operation(number, kind, "SUCCEEDED"), commit, restart)
        elif old:
            old.operation = Operation(number, kind, "ROLLBACK_SUCCEEDED")
        else:
            return "waiting for App Runner Service create: unexpected state 'CREATE_FAILED'"
        return ""


@dataclass
class Engine:
    """Previews and updates against the cloud; `fail_up` and `fail_preview` are for the next operations."""

    cloud: Cloud
    preview_faults: list[ControllerError | None] = field(default_factory=list)
    up_faults: list[Callable[[Path, Callable[[], Result]], None] | None] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    ups: list[str] = field(default_factory=list)
    before_up: Callable[[str, Path], object] | None = None  # the environment, the work folder
    extra_steps: list[dict[str, object]] = field(default_factory=list)  # of the next previews: drift
    results: dict[Path, Result | ControllerError] = field(default_factory=dict)
    busy: dict[Path, tuple[int, Callable[[], None]]] = field(default_factory=dict)

    def next_up_fails_with(self, error: ControllerError, *, done: bool = False) -> None:
        """The machinery breaks before or, if `done`, after the effect; the worker leaves the error as its result."""

        def fault(folder: Path, effect: Callable[[], Result]) -> None:
            if done:
                effect()
            self._leave(folder, error)
            raise error

        self.up_faults.append(fault)

    def controller_dies_in_next_up(self, worker: Worker) -> None:
        """Our process ends while applying: the worker still runs, is done, or ended with us."""

        def fault(folder: Path, effect: Callable[[], Result]) -> None:
            if worker is Worker.RUNNING:
                self.busy[folder] = (3, lambda: self._leave(folder, effect()))
            if worker is Worker.DONE:
                self._leave(folder, effect())
            raise Died

        self.up_faults.append(fault)

    @contextmanager
    def open(
        self, folder: Path, environment: str, *, message: str, variables: Mapping[str, str], secrets_provider: str
    ) -> Iterator["Session"]:
        assert message, "an update without a message"
        assert variables["AWS_REGION"] == REGION
        assert not secrets_provider, "the twins' settings name none"
        self.opened.append(environment)
        yield Session(self, folder, environment)

    def result(self, folder: Path, word: str) -> Result | None:
        assert word == "up"
        found = self.results.get(folder)
        if isinstance(found, ControllerError):
            raise found
        return found

    def is_running(self, folder: Path) -> bool:
        if folder not in self.busy:
            return False
        looks, finish = self.busy.pop(folder)
        if looks:
            self.busy[folder] = (looks - 1, finish)
            return True
        finish()
        return False

    def _leave(self, folder: Path, result: Result | ControllerError) -> None:
        self.results[folder] = result
        (folder / "up.json").touch()


@dataclass
class Session:
    """One worker."""

    engine: Engine
    folder: Path
    environment: str

    def preview(self) -> Plan:
        fault = self.engine.preview_faults.pop(0) if self.engine.preview_faults else None
        if fault:
            raise fault
        steps = [*self._steps(), *self.engine.extra_steps]
        return from_steps(steps, self._outputs(preview=True))

    def up(self) -> Result:
        self.engine.ups.append(self.environment)
        if self.engine.before_up:
            self.engine.before_up(self.environment, self.folder)
        fault = self.engine.up_faults.pop(0) if self.engine.up_faults else None
        if fault:
            fault(self.folder, self._apply)
        result = self._apply()
        self.engine._leave(self.folder, result)
        return result

    def inventory(self) -> Plan:
        held = [(REPOSITORY, name, repository(self.environment, name)) for name in self._release.services]
        held += [(RUNTIME, name, arn(self.environment, name)) for name in self._release.services]
        there = [
            one for one in held if one[2] in self.engine.cloud.repositories or one[2] in self.engine.cloud.services
        ]
        steps = [
            step("delete", kind, name, unprotects=True, environment=self.environment)
            | {"properties": [{"path": "id", "kind": "delete", "before": id_.rpartition("/")[2]}]}
            for kind, name, id_ in there
        ]
        return from_steps(steps, {})

    def destroy(self) -> Result:
        gone = self.inventory()
        for name in self._release.services:
            self.engine.cloud.services.pop(arn(self.environment, name), None)
            self.engine.cloud.repositories.discard(repository(self.environment, name))
        return Result(replace(gone, outputs={}), ())

    def _apply(self) -> Result:
        steps, problems = self._steps(), []
        for name, pin in self._release.services.items():
            self.engine.cloud.repositories.add(repository(self.environment, name))
            if pin.digest:
                where = arn(self.environment, name)
                said = self.engine.cloud.run(where, pin.digest, commit=pin.commit, restart=pin.restart)
                problems += [Problem(urn(self.environment, RUNTIME, name), said)] if said else []
        outputs = {} if problems else self._outputs(preview=False)
        return Result(from_steps(steps, outputs), tuple(problems))

    @functools.cached_property
    def _release(self) -> Release:
        path = release_path(self.environment)
        return parse_release(path, (self.folder / "checkout" / path).read_bytes())

    def _steps(self) -> list[dict[str, object]]:
        steps = []
        for name, pin in self._release.services.items():
            if repository(self.environment, name) not in self.engine.cloud.repositories:
                steps.append(step("create", REPOSITORY, name, environment=self.environment))
            running = self.engine.cloud.services.get(arn(self.environment, name))
            if pin.digest and running is None:
                steps.append(step("create", RUNTIME, name, environment=self.environment))
            elif pin.digest and running and (running.digest, running.restart) != (pin.digest, pin.restart):
                steps.append(step("update", RUNTIME, name, IMAGE_PATH, environment=self.environment))
        return steps

    def _outputs(self, *, preview: bool) -> dict[str, object]:
        services = {}
        for name, pin in self._release.services.items():
            where, made = arn(self.environment, name), repository(self.environment, name)
            running = self.engine.cloud.services.get(where)
            there = made in self.engine.cloud.repositories
            later = UNKNOWN if preview and pin.digest else ""
            services[name] = {
                "runtime": "app-runner",
                "repository": made if there or not preview else UNKNOWN,
                "digest": pin.digest,
                "image": f"{made}@{running.digest}" if running else later,
                "service": where if running else later,
                "url": f"https://{name}.{self.environment}.example" if running else later,
                "health_path": "/healthz",
                "version_path": "/version",
                "alarms": [f"{self.environment}-{name}-errors"] if pin.digest else [],
            }
        topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{self.environment}"
        return {"environment": self.environment, "region": REGION, "topic": topic, "services": services, "shape": SHAPE}


def arn(environment: str, service: str) -> str:
    """The ARN of a service's runtime."""
    return f"arn:aws:apprunner:{REGION}:{ACCOUNT}:service/{environment}-{service}/1"


def repository(environment: str, service: str) -> str:
    """The URL of a service's image repository."""
    return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{environment}-{service}"


def urn(environment: str, type: str, name: str) -> str:  # noqa: A002 - Pulumi's word
    """The engine's name for a resource."""
    return f"urn:pulumi:{environment}::release-controller::{type}::{name}"


def step(
    operation: str,
    type: str,  # noqa: A002 - Pulumi's word
    name: str,
    *paths: str,
    environment: str = "staging",
    unprotects: bool = False,
) -> dict[str, object]:
    """A step as the worker tells it."""
    properties = [{"path": path, "kind": "update", "before": "old", "after": "new"} for path in paths]
    return {
        "operation": operation,
        "type": type,
        "urn": urn(environment, type, name),
        "properties": properties,
        "unprotects": unprotects,
    }


@dataclass
class Live:
    """The running services of the cloud."""

    cloud: Cloud
    clock: "Clock"
    watches: list[float] = field(default_factory=list)

    def observe(self, region: str, service: Service, *, watch: float) -> Observation:
        assert region == REGION
        self.watches.append(watch)
        seen = Observation(self.clock.now(), log=self.cloud.log)
        running = self.cloud.services.get(service.service)
        if running is None:
            return replace(seen, unasked=(f"describing {service.service!r}: it is not there",), log=())
        if self.cloud.unreachable:
            answers, version = (Answer(None, "connection timed out"),), None
        else:
            answers = (Answer(500 if running.digest in self.cloud.red else 200),)
            version = {"digest": running.digest, "commit": running.commit}
        states = {name: "ALARM" if name in self.cloud.ringing else "OK" for name in service.alarms}
        return replace(
            seen, status="RUNNING", digest=running.digest, operation=running.operation, answers=answers,
            version=version, alarms=states,
        )  # fmt: skip


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
    services: tuple[str, ...] = ("web",)
    pipeline: bytes = PIPELINE
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
        files = {"pipeline.yaml": self.pipeline, "stacks/__main__.py": b""}
        nothing = releases_file("", dict.fromkeys(self.services, Pin("", "", "", "")))
        for environment in ("staging", "production"):
            files |= {settings_path(environment): SETTINGS, release_path(environment): nothing}
        self.program = self.desired.merge(files, subject="The project")

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
        return self.desired.merge({release_path(environment): raw}, by="Bo", subject=f"Pin {pinned[:12]}")

    def pins(self, environment: str = "staging", *, by: str = "Bo", **digests: str) -> str:
        """Somebody, or the bump bot, pins digests of some services; all else in the file stays."""
        path = release_path(environment)
        raw = self.desired.read(self.desired.tips["main"], path)
        assert raw is not None
        edits: dict[tuple[str, ...], str] = {("program",): self.program}
        edits |= {("services", service, "digest"): pinned for service, pinned in digests.items()}
        edited = edit(path, raw, edits)
        words = "Bump\n\nRelease-Action: bump\n" if by == BOT else "Pin"
        return self.desired.merge({path: edited}, by=by, subject=words)

    def push(self, *pushed: str, environment: str = "staging", service: str = "web") -> None:
        """A build brings images into the environment's registry."""
        for each in pushed:
            self.registry.push(repository(environment, service), each)

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
