"""A simulated cloud: what runs, and how it answers; an update that App Runner does not like is a green one."""

from dataclasses import dataclass, field, replace

from releasectl.outputs import Service
from releasectl.verify import Answer, Observation, Operation
from tests.twins.outside import Clock
from tests.twins.project import REGION


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
    word: tuple[str, bool | None] = ("RUNNING", True)  # what the runtime says of every service, and what it means
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
        status, serves = self.cloud.word
        return replace(
            seen, status=status, serves=serves, digest=running.digest, operation=running.operation,
            answers=() if service.private else answers, version=None if service.private else version,
            alarms=states, private=service.private,
        )  # fmt: skip
