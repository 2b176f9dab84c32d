"""The record of deployments, the same on the twin and on a branch of a real remote."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from releasectl import record
from releasectl.edges.git_remote import MissingRemote
from releasectl.edges.record_branch import RecordBranch
from releasectl.errors import Finding, Stale
from releasectl.record import BRANCH, Deployment, Moment, Phase, UnreadableRecord
from releasectl.release import Pin
from releasectl.world import Records
from tests.contract.conftest import Remote, git
from tests.twins import HERE, START, digest
from tests.twins import Records as Twin

LIVE = Moment(Phase.LIVE, START + timedelta(minutes=2), "proven")


def deployment(number: int, environment: str = "staging") -> Deployment:
    """The first line of a deployment; they sort by their number."""
    return Deployment(
        id=f"20261121T12{number:02}00Z-00000{number}", environment=environment, identity=f"{number}" * 64,
        commit="c" * 40, program="b" * 40, settings="", services={"web": Pin(digest("A"), "1.4.0", "", "")},
        by="Bo", reason="Pin A", holder=HERE, phases=(Moment(Phase.APPLYING, START, "1 update"),),
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Two controllers with the same records, and somebody who writes nonsense into them."""

    one: Records
    other: Records
    spoil: Callable[[str, bytes], object]


@pytest.fixture(params=["twin", "branch", "shallow"])
def case(request: pytest.FixtureRequest) -> Case:
    if request.param == "twin":
        twin = Twin()
        return Case(twin, twin, twin.files.__setitem__)
    remote: Remote = request.getfixturevalue("remote")
    options = ["--depth", "1"] if request.param == "shallow" else []
    clones = [remote.clone(name, *options) for name in ("one", "other")]

    def spoil(path: str, raw: bytes) -> str:
        return clones[0].commit(BRANCH, "Spoil", lambda _tip: {path: raw})

    return Case(RecordBranch(clones[0]), RecordBranch(clones[1]), spoil)


class TestRecords:
    """The contract."""

    def test_at_first_there_is_no_history(self, case: Case) -> None:
        assert case.one.history("staging", 5) == ()

    def test_what_one_controller_opens_another_one_reads(self, case: Case) -> None:
        case.one.open(deployment(1), "")

        assert case.other.history("staging", 5) == (deployment(1),)

    def test_history_is_newest_first_as_many_as_asked_for_and_of_one_environment(self, case: Case) -> None:
        case.one.open(deployment(1), "")
        case.one.open(deployment(7, "production"), "")
        case.one.open(deployment(2), deployment(1).id)
        case.one.open(deployment(3), deployment(2).id)

        assert case.other.history("staging", 2) == (deployment(3), deployment(2))
        assert case.other.history("staging", 9)[-1] == deployment(1)
        assert case.other.history("production", 9) == (deployment(7, "production"),)

    def test_a_deployment_is_not_opened_when_another_one_came_between(self, case: Case) -> None:
        case.one.open(deployment(1), "")
        case.other.open(deployment(2), deployment(1).id)

        with pytest.raises(Stale, match="came first"):
            case.one.open(deployment(3), deployment(1).id)
        with pytest.raises(Stale):
            case.one.open(deployment(3), "")
        assert [each.id for each in case.one.history("staging", 9)] == [deployment(2).id, deployment(1).id]

    def test_environments_do_not_stand_in_each_others_way(self, case: Case) -> None:
        case.one.open(deployment(1), "")
        case.other.open(deployment(2, "production"), "")
        case.one.open(deployment(3), deployment(1).id)

        assert len(case.one.history("staging", 9)) == 2

    def test_lines_add_up_whoever_writes_them(self, case: Case) -> None:
        finding = Finding("proof", "arn", "odd", "Look.")
        case.one.open(deployment(1), "")
        verifying = Moment(Phase.VERIFYING, START + timedelta(minutes=1), "the engine is done")
        grown = case.one.add(deployment(1), verifying, outputs={"topic": "t"})
        ended = case.other.add(grown, LIVE, findings=(finding,), serving={"web": digest("A")})

        assert [moment.phase for moment in ended.phases] == [Phase.APPLYING, Phase.VERIFYING, Phase.LIVE]
        assert (ended.outputs, ended.findings, ended.serving) == ({"topic": "t"}, (finding,), {"web": digest("A")})
        assert case.one.history("staging", 1) == (ended,)

    def test_a_line_of_an_older_deployment_does_not_touch_the_newest(self, case: Case) -> None:
        case.one.open(deployment(1), "")
        case.one.open(deployment(2), deployment(1).id)
        case.one.add(deployment(1), LIVE)

        newest, older = case.other.history("staging", 2)
        assert (newest, older.phase) == (deployment(2), Phase.LIVE)

    def test_a_file_that_is_not_ours_is_named(self, case: Case) -> None:
        case.one.open(deployment(1), "")
        case.spoil(deployment(1).path, b"<<<<<<< HEAD\n")

        with pytest.raises(UnreadableRecord) as caught:
            case.other.history("staging", 1)
        assert deployment(1).path in caught.value.message
        assert f"git log origin/{BRANCH}" in caught.value.remedy

    def test_other_files_of_the_branch_are_left_alone(self, case: Case) -> None:
        case.spoil("staging/README.md", b"what this is")
        case.one.open(deployment(1), "")

        assert case.other.history("staging", 9) == (deployment(1),)


# ---- the branch itself ----


def test_the_branch_is_an_orphan_and_reads_as_a_log(remote: Remote) -> None:
    records = RecordBranch(remote.clone("clone"))
    records.open(deployment(1), "")
    records.add(deployment(1), LIVE)
    log = git(remote.bare, "log", "--format=%s", BRANCH).splitlines()

    assert log == [f"staging live {deployment(1).id}", f"staging applying {deployment(1).id}"]
    assert digest("A") in git(remote.bare, "log", "-1", "--format=%b", BRANCH)
    assert git(remote.bare, "ls-tree", "-r", "--name-only", BRANCH) == deployment(1).path


def test_lines_are_only_ever_added(remote: Remote) -> None:
    records = RecordBranch(remote.clone("clone"))
    records.open(deployment(1), "")
    first = git(remote.bare, "show", f"{BRANCH}:{deployment(1).path}")
    records.add(deployment(1), LIVE)

    assert git(remote.bare, "show", f"{BRANCH}:{deployment(1).path}").startswith(first + "\n")


def test_of_two_controllers_that_open_at_once_exactly_one_may_go_on(remote: Remote) -> None:
    one, other = (RecordBranch(remote.clone(name)) for name in ("one", "other"))
    rival = replace(deployment(1), id="20261121T120100Z-00000f")
    ended: list[str] = []

    def open_it(records: RecordBranch, opened: Deployment) -> None:
        try:
            records.open(opened, "")
        except Stale:
            ended.append("stale")
        else:
            ended.append("opened")

    threads = [threading.Thread(target=open_it, args=pair) for pair in ((one, deployment(1)), (other, rival))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ended) == ["opened", "stale"]
    assert len(one.history("staging", 9)) == 1


def test_records_without_a_remote_say_so(remote: Remote) -> None:
    records = RecordBranch(remote.clone("clone"))
    remote.bare.rename(remote.folder / "gone.git")

    with pytest.raises(MissingRemote):
        records.history("staging", 1)
    with pytest.raises(MissingRemote):
        records.open(deployment(1), "")


def test_a_later_host_with_a_clock_behind_still_opens_the_newest(remote: Remote) -> None:
    records = RecordBranch(remote.clone("clone"))
    records.open(deployment(5), "")
    behind = START - timedelta(days=40)
    fresh = replace(deployment(1), id=record.new_id(behind, deployment(5).id), phases=(Moment(Phase.APPLYING, behind),))
    records.open(fresh, deployment(5).id)

    assert records.history("staging", 1) == (fresh,)
