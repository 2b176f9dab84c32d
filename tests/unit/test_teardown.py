"""Teardown: the commit first, images only when asked, and a record after which everything may begin again."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from releasectl import teardown
from releasectl.next_step import Action
from releasectl.reconcile import reconcile
from releasectl.record import Deployment, Worker
from releasectl.release import parse_release
from releasectl.target import release_path
from releasectl.teardown import HoldsImages, Leaving, NotSettled
from tests.twins import Died, Down, Scene, arn, digest, repository

A, B = digest("A"), digest("B")
PATH = release_path("staging")


@dataclass
class Images:
    """The images by the name of their repository."""

    there: dict[str, int] = field(default_factory=dict)
    fault: BaseException | None = None

    def count(self, region: str, repository: str) -> int:
        assert region == "eu-west-1"
        return self.there.get(repository, 0)

    def delete(self, region: str, repository: str) -> None:
        assert region == "eu-west-1"
        if self.fault:
            raise self.fault
        self.there[repository] = 0


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A is live in staging."""
    scene = Scene(tmp_path / "work")
    scene.push(A, B)
    scene.cloud.repositories.add(repository("staging", "web"))
    scene.pin(A)
    reconcile("staging", scene.world)
    return scene


def look(scene: Scene, images: Images) -> Leaving:
    folder = scene.folder.parent / f"look-{len(list(scene.folder.parent.iterdir()))}"
    return teardown.look("staging", scene.world, images, folder=folder)


def run(scene: Scene, images: Images, *, delete_images: bool = True) -> Deployment | None:
    return teardown.run(look(scene, images), scene.world, images, delete_images=delete_images)


def pinned(scene: Scene) -> str:
    raw = scene.desired.read(scene.desired.fetch(), PATH)
    assert raw is not None
    return parse_release(PATH, raw).services["web"].digest


def test_looking_tells_what_would_go_and_changes_nothing(scene: Scene) -> None:
    before = (dict(scene.records.files), scene.desired.fetch(), dict(scene.cloud.services))
    leaving = look(scene, Images({"staging-web": 2}))

    assert [change.type for change in leaving.resources.changes] == [
        "aws:apprunner/service:Service",
        "aws:ecr/repository:Repository",
    ]
    assert leaving.images == {"staging-web": 2}
    assert (dict(scene.records.files), scene.desired.fetch(), dict(scene.cloud.services)) == before


def test_everything_goes_main_is_emptied_and_the_loop_rests(scene: Scene) -> None:
    gone = run(scene, Images({"staging-web": 2}))

    assert gone is not None
    assert (gone.phase, gone.action, gone.program, gone.message) == ("live", "teardown", "", "the environment is gone")
    assert (scene.cloud.services, scene.cloud.repositories) == ({}, set())
    assert pinned(scene) == ""
    assert reconcile("staging", scene.world).step.action is Action.REST


def test_images_that_nobody_gave_up_stop_it_before_anything(scene: Scene) -> None:
    images = Images({"staging-web": 2})
    with pytest.raises(HoldsImages, match=r"staging-web \(2\)"):
        run(scene, images, delete_images=False)

    assert images.there == {"staging-web": 2}
    assert pinned(scene) == A
    assert arn("staging", "web") in scene.cloud.services
    assert scene.phases() == ["live"]


def test_without_images_nobody_has_to_give_any_up(scene: Scene) -> None:
    assert run(scene, Images(), delete_images=False)
    assert scene.cloud.services == {}


def test_what_is_gone_is_not_taken_away_twice(scene: Scene) -> None:
    run(scene, Images())

    assert look(scene, Images()).built is None
    assert run(scene, Images()) is None
    assert scene.phases() == ["live", "live"]


def test_what_never_was_is_not_taken_away(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "work")

    assert run(scene, Images()) is None
    assert (scene.phases(), scene.engine.opened) == ([], [])


def test_an_environment_that_was_torn_down_can_be_made_again(scene: Scene) -> None:
    run(scene, Images())
    scene.push(B)
    scene.cloud.repositories.add(repository("staging", "web"))
    scene.pin(B)

    assert reconcile("staging", scene.world).step.action is Action.REST
    assert scene.serves == B


def test_an_error_is_recorded_and_the_next_try_goes_on_from_an_empty_file(scene: Scene) -> None:
    images = Images({"staging-web": 2}, fault=Down("deleting: no answer", "Try again."))
    first = run(scene, images)
    assert first is not None
    assert (first.phase, pinned(scene)) == ("errored", "")
    assert reconcile("staging", scene.world).step.action is Action.REST, "nothing builds it again"

    images.fault = None
    second = run(scene, images)
    assert second is not None
    assert (second.phase, scene.cloud.services) == ("live", {})


def test_a_deployment_under_way_is_waited_for(scene: Scene) -> None:
    scene.pin(B)
    scene.engine.controller_dies_in_next_up(Worker.RUNNING)
    with pytest.raises(Died):
        reconcile("staging", scene.world)

    with pytest.raises(NotSettled, match="is applying"):
        look(scene, Images())
    assert pinned(scene) == B


def test_a_teardown_that_was_cut_off_is_closed_and_done_again(scene: Scene) -> None:
    with pytest.raises(Died):
        run(scene, Images({"staging-web": 1}, fault=Died()))
    assert scene.phases() == ["live", "applying"]

    gone = run(scene, Images({"staging-web": 1}))
    assert gone is not None
    assert scene.phases() == ["live", "errored", "live"]
    assert scene.cloud.services == {}
