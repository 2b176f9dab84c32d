"""A project on main in a world of twins."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from releasectl.edit import edit
from releasectl.locks import Lock
from releasectl.plan import Pending
from releasectl.record import Deployment, Holder
from releasectl.release import Pin
from releasectl.target import release_path, settings_path
from releasectl.world import World
from tests.twins.cloud import Cloud, Live
from tests.twins.engine import Engine
from tests.twins.git import Desired
from tests.twins.outside import Clock, Locks, Notifier, Orphans, Records, Registry, Runs
from tests.twins.project import (
    BOT,
    HERE,
    PIPELINE,
    PROJECT,
    SETTINGS,
    Died,
    arn,
    release_file,
    releases_file,
    repository,
)


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
    locks: Locks = field(default_factory=Locks)
    runs: Runs = field(default_factory=Runs)
    orphans: Orphans = field(default_factory=Orphans)
    clock: Clock = field(default_factory=Clock)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = Engine(self.cloud)
        self.desired.now = self.clock.now
        self.live = Live(self.cloud, self.clock)
        files = {"pipeline.yaml": self.pipeline, "stacks/__main__.py": b"", "Pulumi.yaml": PROJECT}
        nothing = releases_file("", dict.fromkeys(self.services, Pin("", "", "", "")))
        for environment in ("staging", "production"):
            files |= {settings_path(environment): SETTINGS, release_path(environment): nothing}
        self.program = self.desired.merge(files, subject="The project")

    @property
    def world(self) -> World:
        """The world as the controller on `holder` sees it."""
        return World(
            desired=self.desired, records=self.records, registry=self.registry, engine=self.engine, live=self.live,
            locks=self.locks, runs=self.runs, orphans=self.orphans, notifier=self.notifier, clock=self.clock,
            holder=replace(self.holder, folder=str(self.folder)), folder=self.folder, say=self.said.append,
        )  # fmt: skip

    def all_die_in_next_up(self, *, pending: Pending | None = None) -> None:
        """The controller, its worker and its engine are killed while applying; the engine's lock stays."""

        def fault(folder: Path, _effect: object) -> None:
            environment, pid = folder.parent.name, self.engine.pids[folder]
            where = f"{environment}/{len(self.locks.removed)}"
            self.locks.there.append(Lock(where, "ann", self.holder.host, pid, self.clock.now()))
            self.engine.pending += [pending] if pending else []
            raise Died

        self.engine.up_faults.append(fault)

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
