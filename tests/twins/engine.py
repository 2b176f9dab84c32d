"""The engine against the simulated cloud, with faults for its next operations."""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from releasectl.apply import Problem, Result
from releasectl.drift import Changed, Refreshed
from releasectl.errors import ControllerError
from releasectl.outputs import UNKNOWN
from releasectl.plan import Pending, Plan, from_steps
from releasectl.record import Worker
from releasectl.release import Release, parse_release
from releasectl.target import release_path
from tests.twins.cloud import Cloud
from tests.twins.project import (
    ACCOUNT,
    DRIFT,
    IMAGE_PATH,
    REGION,
    REPOSITORY,
    RUNTIME,
    SHAPE,
    Died,
    arn,
    repository,
    step,
    urn,
)


@dataclass
class Engine:
    """Previews and updates against the cloud; `fail_up` and `fail_preview` are for the next operations."""

    cloud: Cloud
    preview_faults: list[ControllerError | None] = field(default_factory=list)
    up_faults: list[Callable[[Path, Callable[[], Result]], None] | None] = field(default_factory=list)
    up_says: list[Result] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    ups: list[str] = field(default_factory=list)
    before_up: Callable[[str, Path], object] | None = None  # the environment, the work folder
    extra_steps: list[dict[str, object]] = field(default_factory=list)  # of the next previews: drift
    changed: list[Changed] = field(default_factory=list)  # what a refresh finds, until an update with one
    no_way_back: tuple[str, ...] = ()  # why the next plans back cannot be made
    results: dict[Path, Result | ControllerError] = field(default_factory=dict)
    held: set[Path] = field(default_factory=set)  # folders on which some controller works
    pids: dict[Path, int] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)
    settled: list[Mapping[str, str]] = field(default_factory=list)
    stopped: list[Path] = field(default_factory=list)
    shape: list[dict[str, object]] = field(default_factory=lambda: list(SHAPE))
    declared: dict[str, dict[str, object]] = field(default_factory=dict)  # of a service, beside what it always says
    busy: dict[Path, tuple[int, Callable[[], None]]] = field(default_factory=dict)

    def next_up_fails_with(self, error: ControllerError, *, done: bool = False) -> None:
        """The machinery breaks before or, if `done`, after the effect; the worker leaves the error as its result."""

        def fault(folder: Path, effect: Callable[[], Result]) -> None:
            if done:
                effect()
            self._leave(folder, error)
            raise error

        self.up_faults.append(fault)

    def next_up_says(self, result: Result) -> None:
        """The next update does nothing and comes to this."""
        self.up_says.append(result)

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
        self,
        folder: Path,
        environment: str,
        *,
        message: str,
        variables: Mapping[str, str],
        secrets_provider: str,
        deadline: float,
    ) -> Iterator["Session"]:
        assert deadline > 0
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

    @contextmanager
    def hold(self, folder: Path) -> Iterator[bool]:
        alone = folder not in self.held
        folder.mkdir(parents=True, exist_ok=True)
        self.held.add(folder)
        try:
            yield alone
        finally:
            if alone:
                self.held.discard(folder)

    def worker(self, folder: Path) -> Worker | None:
        if not folder.exists():
            return None
        if folder in self.held:
            return Worker.HELD
        if folder in self.busy:
            return Worker.RUNNING
        return Worker.DONE if folder in self.results else Worker.GONE

    def stop(self, folder: Path) -> None:
        self.stopped.append(folder)
        self.busy.pop(folder, None)

    def pid(self, folder: Path) -> int | None:
        return self.pids.get(folder)

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
        return replace(from_steps(steps, self._outputs(preview=True)), pending=tuple(self.engine.pending))

    def settle(self, made: Mapping[str, str]) -> None:
        self.engine.settled.append(made)
        self.engine.pending.clear()

    def drift(self) -> Refreshed:
        return Refreshed(tuple(self.engine.changed), self.preview(), self.engine.no_way_back)

    def up(self, *, refresh: bool = False) -> Result:
        assert not self.engine.pending, "an update over a pending create makes a second object"
        if refresh:
            self.engine.changed.clear()
        self.engine.ups.append(self.environment)
        self.engine.pids[self.folder] = 5000 + len(self.engine.ups)
        if self.engine.before_up:
            self.engine.before_up(self.environment, self.folder)
        fault = self.engine.up_faults.pop(0) if self.engine.up_faults else None
        if fault:
            fault(self.folder, self._apply)
        result = self.engine.up_says.pop(0) if self.engine.up_says else self._apply()
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
                **self.engine.declared.get(name, {}),
            }
        topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{self.environment}"
        said = {"environment": self.environment, "region": REGION, "topic": topic, "services": services}
        return {**said, "shape": self.engine.shape, "drift": DRIFT}
