"""Two stories of the campaign, played for real: its own machinery works and leaves nothing behind."""

from pathlib import Path

import pytest

from tests.chaos import ground, oracle, processes
from tests.chaos.play import play
from tests.chaos.story import Change, Kill, Moment, Point, Push, Story, Victim

pytestmark = pytest.mark.nightly

KILLED = Kill(Victim.CONTROLLER, ("KILL",), Moment(Point.STEP, 0.2))


def test_a_killed_controller_and_a_lost_push_come_to_rest_and_nothing_is_left(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder: Path = tmp_path_factory.mktemp("chaos") / "ground"
    stage = ground.opened(folder, disks=False)
    try:
        first = play(Story(1, Change.FIRST_RELEASE, KILLED), stage)
        second = play(Story(2, Change.PROGRAM, weather=Push("lost", 0, 1)), stage)
    finally:
        stage.close(keep=False)

    assert oracle.judge(first) == oracle.Verdict("live", ())
    assert oracle.judge(second) == oracle.Verdict("live", ())
    assert first.struck is not None
    assert second.weather == ("push lost x 1",)
    assert not folder.exists()
    assert processes.marked(str(folder)) == ()
