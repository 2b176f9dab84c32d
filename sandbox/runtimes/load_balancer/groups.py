"""Target groups as requests see them: who is in one, who is well, whose turn it is.

Comes in: copies that a runtime registers, with their state. Goes out: the next target, the states for
DescribeTargetHealth, and tallies for the metrics. Health is the runtime's word; nothing is asked here.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sandbox.process import LOOPBACK
from sandbox.runtimes.front_door import Tally, Target

State = Literal["initial", "healthy", "unhealthy", "draining"]
_REASONS: Mapping[str, tuple[str, str]] = {
    "initial": ("Elb.RegistrationInProgress", "Target registration is in progress"),
    "unhealthy": ("Target.FailedHealthChecks", "Health checks failed"),
    "draining": ("Target.DeregistrationInProgress", "Target deregistration is in progress"),
}


@dataclass
class Group:
    """One target group; `states` is by port, because every copy is on loopback."""

    arn: str
    states: dict[int, State] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    statuses: Counter[int] = field(default_factory=Counter)  # of all answers ever, by their first digit
    _targets: dict[int, Target] = field(default_factory=dict)
    _turn: int = 0

    def register(self, target: Target, state: State) -> None:
        """Add a copy, or say how it is now."""
        self._targets[target.port] = target
        self.states[target.port] = state

    def forget(self, target: Target) -> None:
        self._targets.pop(target.port, None)
        self.states.pop(target.port, None)

    def add(self, status: int, seconds: float) -> None:
        """A target has answered."""
        self.tally.add(status, seconds)
        self.statuses[status // 100] += 1

    def next(self) -> Target | None:
        """Whose turn it is among the healthy. Where nobody is, the unhealthy get it: so does AWS, it fails open."""
        for wanted in ("healthy", "unhealthy"):
            ports = sorted(port for port, state in self.states.items() if state == wanted)
            if ports:
                self._turn += 1
                return self._targets[ports[self._turn % len(ports)]]
        return None

    def count(self, state: State) -> int:
        return sum(each == state for each in self.states.values())

    def health(self) -> list[dict[str, object]]:
        """TargetHealthDescriptions."""
        return [
            {"Target": {"Id": LOOPBACK, "Port": port}, "HealthCheckPort": str(port), "TargetHealth": _shown(state)}
            for port, state in self.states.items()
        ]


class Groups(dict[str, Group]):
    """By ARN; made when first asked for."""

    def __missing__(self, arn: str) -> Group:
        self[arn] = Group(arn)
        return self[arn]


def _shown(state: State) -> dict[str, str]:
    if state not in _REASONS:
        return {"State": state}
    reason, description = _REASONS[state]
    return {"State": state, "Reason": reason, "Description": description}
