"""A simulated cloud, and the twins that act on it: the engine and whoever looks at running services.

An update that App Runner does not like is a green one with the old image in the outputs, as on AWS; a first release
that it does not like fails. Nothing here is a process or a file except what the core itself looks for.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from releasectl.apply import Problem, Result
from releasectl.errors import ControllerError
from releasectl.outputs import UNKNOWN, Service
from releasectl.plan import Plan, from_steps
from releasectl.reconcile import Worker
from releasectl.release import Release, parse_release
from releasectl.target import release_path
from releasectl.verify import Answer, Observation, Operation
from releasectl.world import Clock

REGION = "eu-west-1"
ACCOUNT = "000000000000"
RUNTIME = "aws:apprunner/service:Service"
REPOSITORY = "aws:ecr/repository:Repository"
IMAGE_PATH = "sourceConfiguration.imageRepository.imageIdentifier"
SHAPE = [{"type": RUNTIME, "operations": ["create", "update"], "properties": [IMAGE_PATH]}]


class Died(BaseException):
    """Here the controller's process ended: nothing after this line of it was run."""


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
        fault = self.engine.up_faults.pop(0) if self.engine.up_faults else None
        if fault:
            fault(self.folder, self._apply)
        result = self._apply()
        self.engine._leave(self.folder, result)
        return result

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
    clock: Clock
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
