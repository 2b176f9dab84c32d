"""The provider's types through a whole life under the real engine: made, left alone, changed, replaced, changed by
hand, adopted, deleted. One table for each group of types that need each other."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.sandbox.provider_account import ACCOUNTS, ALERTS
from tests.sandbox.provider_balancing import BALANCING, NETWORK
from tests.sandbox.provider_engine import Engine, Run
from tests.sandbox.provider_life import Cloud, Ids, Life, Paths

pytestmark = pytest.mark.nightly


@pytest.mark.parametrize("life", [NETWORK, BALANCING, ALERTS, ACCOUNTS], ids=lambda life: life.program.__name__)
def test_a_whole_life(life: Life, provider: int, cloud: Cloud, tmp_path: Path) -> None:
    engine = Engine(tmp_path / "engine", provider)

    def program(version: int, ids: Ids | None = None) -> Callable[[], None]:
        return functools.partial(life.program, version, ids or {})

    made = engine.up(program(1))
    ids = {name: one["id"] for name, one in engine.resources().items()}
    count = len(ids) + 1  # the stack
    assert (made.error, made.counts) == ("", {"create": count})
    assert still(engine.preview(program(1), refresh=True)) == ("", {"same": count})

    changed = engine.up(program(2))
    assert (changed.error, paths(changed, "update")) == ("", life.updates)
    assert still(engine.preview(program(2), refresh=True)) == ("", {"same": count})
    replaced = engine.preview(program(3))
    assert {
        name: one for name, one in paths(replaced, "create-replacement").items() if name in life.replaces
    } == life.replaces

    life.by_hand(cloud, ids)
    seen = engine.preview(program(2), refresh=True)
    assert {step.name: step.paths for step in seen.drift if step.op == "refresh" and step.paths} == life.drift
    assert engine.refresh().error == ""
    assert set(ids) - set(engine.resources()) == life.gone
    assert engine.up(program(2)).error == ""
    assert still(engine.preview(program(2), refresh=True)) == ("", {"same": count})

    ids = {name: one["id"] for name, one in engine.resources().items()}  # what was deleted is another one now
    other = Engine(tmp_path / "other", provider)
    adopted = other.up(program(2, {**ids, **life.imports}))
    assert (adopted.error, adopted.counts["import"], paths(adopted, "update")) == ("", len(ids), life.adopted)
    assert engine.destroy().error == ""
    assert other.refresh().error == ""
    assert other.resources() == {}


def still(run: Run) -> tuple[str, Mapping[str, int]]:
    """What a run that should find nothing to do says."""
    return run.error, run.counts


def paths(run: Run, op: str) -> Paths:
    """Name -> what changes, of the steps of one kind; both halves of a replacement tell it, and the first is enough."""
    told: dict[str, Mapping[str, str]] = {}
    names = [step.name for step in run.steps if step.op == op]
    for step in run.steps:
        if step.name in names and step.paths and step.op != "refresh":
            told[step.name] = step.paths
    return told
