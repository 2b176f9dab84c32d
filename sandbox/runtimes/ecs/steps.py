"""How each strategy moves production traffic from the old revision to the new one: a pure table of steps.

Comes in: a deployment configuration. Goes out: shares of the new revision in per cent, each with the minutes that it
bakes before the next. The last share is always all of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SHIFTING = ("BLUE_GREEN", "LINEAR", "CANARY")


@dataclass(frozen=True)
class Step:
    """`share` is what the new revision gets, in per cent; `minutes` is how long that is looked at."""

    share: float
    minutes: float


def steps(configuration: Mapping[str, Any]) -> list[Step]:
    """What follows once the new revision is well. The last step's minutes are the bake time."""
    last = Step(100.0, configuration.get("bakeTimeInMinutes") or 0)
    strategy = configuration.get("strategy", "ROLLING")
    if strategy == "CANARY":
        canary = configuration.get("canaryConfiguration") or {}
        return [Step(canary.get("canaryPercent", 5.0), canary.get("canaryBakeTimeInMinutes", 10)), last]
    if strategy == "LINEAR":
        linear = configuration.get("linearConfiguration") or {}
        each, minutes = linear.get("stepPercent", 10.0), linear.get("stepBakeTimeInMinutes", 6)
        shares = [each * count for count in range(1, 101) if each * count < 100]
        return [*(Step(share, minutes) for share in shares), last]
    return [last]


def threshold(configuration: Mapping[str, Any], desired: int) -> int | None:
    """How many tasks may fail before the circuit breaker trips; None when there is none."""
    breaker = configuration.get("deploymentCircuitBreaker") or {}
    if not breaker.get("enable"):
        return None
    wanted = breaker.get("thresholdConfiguration") or {}
    kind, value = wanted.get("type", "BOUNDED_PERCENT"), wanted.get("value", 50)
    if kind == "COUNT":
        return max(1, int(value))
    counted = -(-desired * int(value) // 100)
    return max(1, counted) if kind == "UNBOUNDED_PERCENT" else min(200, max(3, counted))


def weights(new: str, old: str, share: float) -> dict[str, int]:
    """Of a rule's two target groups. A share that is not nothing is at least one in a hundred."""
    part = 0 if share <= 0 else min(100, max(1, round(share)))
    return {old: 100 - part, new: part} if old and old != new else {new: 100}
