"""Values of metric math: numbers, time series and arrays of time series, and what may be done with them.

Comes in: values. Goes out: values, by the rules of AWS's page "Using math expressions with CloudWatch metrics". A
series is a mapping from the number of a period to a value; a period that is not in it has no data point. What
cannot be computed, such as a division by zero, is no data point and never an error.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

Series: TypeAlias = Mapping[int, float]
Value: TypeAlias = float | Series | tuple[Series, ...]


class NotComputable(Exception):
    """An operation that metric math does not have for such values."""


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except (ValueError, OverflowError):
        return math.nan


_OPERATORS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda left, right: left / right if right else math.nan,
    "^": _power,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "AND": lambda left, right: bool(left) and bool(right),
    "OR": lambda left, right: bool(left) or bool(right),
}
_REDUCTIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "SUM": math.fsum,
    "MAX": max,
    "MIN": min,
    "AVG": lambda values: math.fsum(values) / len(values),
}
REDUCTIONS = frozenset(_REDUCTIONS)


def combine(name: str, left: Value, right: Value) -> Value:
    """An operator between two values. Two series meet in every period that either has; what is missing counts as 0."""
    if isinstance(left, tuple) and isinstance(right, tuple):
        raise NotComputable(f"'{name}' between two arrays")
    if isinstance(left, tuple):
        return tuple(_series(combine(name, each, right)) for each in left)
    if isinstance(right, tuple):
        return tuple(_series(combine(name, left, each)) for each in right)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        periods = left.keys() | right.keys()
        return _finite({at: _apply(name, left.get(at, 0.0), right.get(at, 0.0)) for at in periods})
    if isinstance(left, Mapping):
        return _finite({at: _apply(name, value, _number(right)) for at, value in left.items()})
    if isinstance(right, Mapping):
        return _finite({at: _apply(name, left, value) for at, value in right.items()})
    return _apply(name, left, right)


def reduce(name: str, value: Value) -> Value:
    """SUM, MAX, MIN, AVG: of an array a series, of one series a number."""
    if isinstance(value, tuple):
        periods = set().union(*(each.keys() for each in value))
        # AWS says of AVG that what is missing is 0; of the others it says nothing, so what exists counts.
        pad = 0.0 if name == "AVG" else None
        return _finite({at: _REDUCTIONS[name](_across(value, at, pad)) for at in periods})
    if isinstance(value, Mapping):
        return _REDUCTIONS[name](list(value.values())) if value else math.nan
    raise NotComputable(f"{name} of a number")


def fill(value: Value, filler: Value | None, periods: range) -> Value:
    """FILL: a value in each of `periods`, from `filler` where `value` has none; without one the last value repeats."""
    if isinstance(value, tuple):
        return tuple(_series(fill(each, filler, periods)) for each in value)
    if not isinstance(value, Mapping):
        raise NotComputable("FILL of a number")
    if isinstance(filler, tuple):
        raise NotComputable("FILL with an array")
    if filler is None:
        return _repeated(value, periods)
    instead = filler if isinstance(filler, Mapping) else dict.fromkeys(periods, filler)
    return _finite({**instead, **value})


def choose(condition: Value, yes: Value, no: Value | None, periods: range) -> Value:
    """IF: for each data point of the condition; a true one without a data point in `yes` is 0, as AWS says."""
    if any(isinstance(each, tuple) for each in (condition, yes, no)):
        raise NotComputable("IF with an array")
    if not isinstance(condition, Mapping):
        if no is not None and not isinstance(yes, Mapping) and not isinstance(no, Mapping):
            return yes if condition else no
        chosen = yes if condition else {} if no is None else no
        return chosen if isinstance(chosen, Mapping) else _finite(dict.fromkeys(periods, _number(chosen)))
    found = {at: _at(yes, at, 0.0) if truth else _at(no, at, math.nan) for at, truth in condition.items()}
    return _finite(found)


def negative(value: Value) -> Value:
    return combine("*", -1.0, value)


def array(values: Sequence[Value]) -> Value:
    """`[a, b]`: an array of series; arrays in it are joined to it."""
    joined: list[Series] = []
    for value in values:
        joined += value if isinstance(value, tuple) else [_series(value)]
    return tuple(joined)


def _apply(name: str, left: float, right: float) -> float:
    if math.isnan(left) or math.isnan(right):
        return math.nan
    return float(_OPERATORS[name](left, right))


def _repeated(value: Series, periods: range) -> Series:
    filled: dict[int, float] = {}
    last: float | None = None
    for at in periods:
        last = value.get(at, last)
        if last is not None:
            filled[at] = last
    return filled


def _across(values: Sequence[Series], at: int, pad: float | None) -> list[float]:
    found = [each.get(at, pad) for each in values]
    return [each for each in found if each is not None]


def _at(value: Value | None, at: int, missing: float) -> float:
    if value is None:
        return missing
    return value.get(at, missing) if isinstance(value, Mapping) else _number(value)


def _finite(values: Series) -> Series:
    return {at: value for at, value in values.items() if math.isfinite(value)}


def _series(value: Value) -> Series:
    if not isinstance(value, Mapping):
        raise NotComputable("an array of numbers" if isinstance(value, float) else "an array in an array")
    return value


def _number(value: Value) -> float:
    if not isinstance(value, float):
        raise NotComputable("a series in the place of a number")
    return value
