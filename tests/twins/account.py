"""An account in memory, and a program that makes what it is told: for the rules of bootstrap alone."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from releasectl.account import Account
from releasectl.apply import Problem, Result
from releasectl.plan import Change, Pending, Plan

ROLE, URN = "aws:iam/role:Role", "urn:pulumi:account::release-controller-bootstrap::aws:iam/role:Role::releasectl-build"


@dataclass
class MemoryAccount:
    """What is there, and what was asked."""

    bucket: bool = False
    provider: tuple[str, ...] | None = None
    found: dict[str, str] = field(default_factory=dict)  # by type
    asked: list[str] = field(default_factory=list)

    def has_bucket(self, _name: str, _region: str, _account: str) -> bool:
        return self.bucket

    def make_bucket(self, name: str, _region: str, _account: str) -> None:
        self.asked.append(f"make {name}")
        self.bucket = True

    def audiences(self, _provider: str) -> tuple[str, ...] | None:
        return self.provider

    def find(self, kind: str, _inputs: Mapping[str, object], _account: Account) -> str:
        return self.found.get(kind, "")


@dataclass
class MemoryWork:
    """A folder and its engine; `states` are by backend, `refuses` how often an update finds its role there already."""

    states: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    changes: tuple[Change, ...] = (Change("create", ROLE, URN),)
    outputs: Mapping[str, object] = field(default_factory=dict)
    refuses: int = 0
    laid_out: list[Account] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    opened: str = ""
    locks: tuple[str, ...] = ()

    def lay_out(self, account: Account) -> None:
        self.laid_out.append(account)

    def state(self) -> Mapping[str, Any]:
        return self.states.get(self.opened, {})

    def free(self, _url: str) -> tuple[str, ...]:
        return self.locks

    @contextmanager
    def open(self, backend: str) -> Iterator["MemoryWork"]:
        assert self.laid_out, "an engine needs a program"
        self.opened = backend
        yield self

    def inventory(self) -> Plan:
        return Plan()

    def preview(self) -> Plan:
        self.done.append(f"preview {self.opened.partition('?')[0]}")
        return Plan(self.changes, self.outputs)

    def settle(self, made: Mapping[str, str]) -> None:
        self.done.append(f"settle {dict(made)}")

    def up(self) -> Result:
        self.done.append(f"up {self.opened.partition('?')[0]}")
        if not self.refuses:
            return Result(Plan((), self.outputs))
        self.refuses -= 1
        failed = Pending("creating", ROLE, URN, {"name": "releasectl-build"})
        return Result(Plan(), (Problem(URN, "EntityAlreadyExists: it already exists"),), (failed,))
