"""What the commands decide themselves, which is little: an exit code for many, a command that helps."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from releasectl import brakes
from releasectl.commands.look import helps
from releasectl.commands.release import worst
from releasectl.next_step import Action
from releasectl.pipeline import hold_path
from releasectl.reconcile import look, reconcile
from releasectl.record import Worker
from tests.twins import PIPELINE, START, Died, Down, Scene, digest, repository

A, B = digest("A"), digest("B")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A is pinned in staging."""
    scene = Scene(tmp_path)
    scene.push(A, B)
    scene.cloud.repositories.add(repository("staging", "web"))
    scene.pin(A)
    return scene


def help_of(scene: Scene, environment: str = "staging") -> tuple[Action, str]:
    standing = look(environment, scene.world)
    return standing.step.action, helps(standing)


@pytest.mark.parametrize("codes", list(permutations((0, 1, 3, 4))))
def test_the_worst_code_stands_for_all_in_any_order(codes: tuple[int, ...]) -> None:
    left = list(codes)
    for expected in (3, 1, 4, 0):
        assert worst(left) == expected
        left.remove(expected)
    assert worst([]) == 0


def test_a_new_release_is_helped_on_by_reconcile_and_one_at_rest_by_nothing(scene: Scene) -> None:
    assert help_of(scene) == (Action.RELEASE, "releasectl reconcile staging")
    reconcile("staging", scene.world)
    assert help_of(scene) == (Action.REST, "")


def test_an_environment_without_a_program_is_helped_on_by_one(scene: Scene) -> None:
    assert help_of(scene, "production") == (Action.REST, "releasectl bump --program --environment production")


def test_a_held_environment_is_helped_on_by_lifting_the_hold(scene: Scene) -> None:
    raw = brakes.hold("staging", None, by="Ann", reason="a test", now=START).files[hold_path("staging")]
    assert raw is not None
    scene.desired.merge({hold_path("staging"): raw}, by="Ann", subject="Hold")

    assert help_of(scene) == (Action.WAIT, "releasectl hold staging --lift")


@pytest.mark.parametrize("first", [True, False], ids=["nothing was live before", "A was live before"])
def test_a_verdict_is_helped_on_by_a_rollback_or_by_looking_at_what_another_pin_would_do(
    scene: Scene, first: bool
) -> None:
    if not first:
        reconcile("staging", scene.world)
    without_rollback = PIPELINE.replace(b"rollback: commit", b"rollback: off")
    scene.desired.merge({"pipeline.yaml": without_rollback}, by="Ann", subject="By hand")
    scene.pin(digest("nowhere"))
    standing = reconcile("staging", scene.world)

    command = "preview" if first else "rollback"
    assert (standing.step.action, helps(standing)) == (Action.STALL, f"releasectl {command} staging")


def test_broken_machinery_is_helped_on_by_another_try(scene: Scene) -> None:
    for _ in range(3):
        scene.engine.next_up_fails_with(Down("asking AWS: no answer", "Try again."))
    standing = reconcile("staging", scene.world)

    assert (standing.step.action, helps(standing)) == (Action.STALL, "releasectl reconcile staging --retry")


def test_a_deployment_of_somebody_else_is_helped_on_by_looking(scene: Scene) -> None:
    scene.engine.controller_dies_in_next_up(Worker.GONE)
    with pytest.raises(Died):
        reconcile("staging", scene.world)
    scene.holder = replace(scene.holder, host="another")

    assert help_of(scene) == (Action.WAIT, "releasectl unlock staging")
