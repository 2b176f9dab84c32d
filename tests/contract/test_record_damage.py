"""The branch of deployments after a person or a program damaged it: refused or repaired, told, nothing invented.

Every command that a remedy names is run here as it is told.
"""

import re
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from releasectl.edges.record_branch import KEPT, RecordBranch
from releasectl.errors import ControllerError, Stale
from releasectl.record import BRANCH, Deployment, Moment, Phase, RewrittenRecord, UnreadableRecord, first_line
from releasectl.world import Records
from tests.contract.conftest import Remote, git
from tests.contract.test_records import LIVE, deployment
from tests.twins import START
from tests.twins import Records as Twin

pytestmark = pytest.mark.nightly

FIRST, SECOND, OTHER = deployment(1), deployment(2), deployment(7, "production")


@pytest.fixture
def writer(remote: Remote) -> RecordBranch:
    """The controller of before."""
    return RecordBranch(remote.clone("writer"))


@pytest.fixture(params=["same clone", "fresh clone", "shallow clone"])
def reader(request: pytest.FixtureRequest, remote: Remote, writer: RecordBranch) -> Callable[[], RecordBranch]:
    """Who looks after the damage: the controller of before, or one that never saw the branch, as in CI."""
    if request.param == "same clone":
        return lambda: writer
    options = ["--depth", "1"] if request.param == "shallow clone" else []
    return lambda: RecordBranch(remote.clone("late", *options))


@pytest.fixture
def written(remote: Remote, writer: RecordBranch) -> str:
    """Two environments with their deployments; the tip."""
    writer.open(FIRST, "")
    writer.add(FIRST, LIVE)
    writer.open(OTHER, "")
    writer.open(SECOND, FIRST.id)
    return remote.tip(BRANCH)


def person(remote: Remote) -> Path:
    """A person's clone, on the branch."""
    git(remote.folder, "clone", "--quiet", str(remote.bare), "person")
    git(remote.folder / "person", "checkout", "--quiet", BRANCH)
    return remote.folder / "person"


def run(command: str, folder: Path) -> None:
    """What a remedy tells, in a shell, as a person would."""
    variables = {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "GIT_CONFIG_GLOBAL": "/dev/null",
        **{f"GIT_{role}_{what}": "bo@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }  # fmt: skip
    subprocess.run(["sh", "-c", command], cwd=folder, env=variables, check=True, capture_output=True)


def told(error: ControllerError, words: str) -> str:
    """The command after some words of a remedy."""
    found = re.search(rf"{words}: (.*)", error.remedy)
    assert found, error.remedy
    return found[1]


def everything(records: RecordBranch) -> list[tuple[str, Phase]]:
    return [(one.id, one.phase) for name in ("staging", "production") for one in records.history(name, 9)]


ALL = [(SECOND.id, Phase.APPLYING), (FIRST.id, Phase.LIVE), (OTHER.id, Phase.APPLYING)]


# ---- rewritten, and gone ----


def rewrite(remote: Remote, _tip: str) -> None:
    """The newest deployment of staging is gone, and something else is there instead."""
    tree = person(remote)
    git(tree, "reset", "--quiet", "--hard", "HEAD~1")
    git(tree, "commit", "--quiet", "--allow-empty", "--message", "Another history")
    git(tree, "push", "--quiet", "--force", "origin", BRANCH)


def cut_back(remote: Remote, tip: str) -> None:
    """The branch is as it was two writes ago."""
    git(remote.bare, "update-ref", f"refs/heads/{BRANCH}", f"{tip}~2")


def start_anew(remote: Remote, _tip: str) -> None:
    """An orphan with nothing in it."""
    tree = person(remote)
    git(tree, "checkout", "--quiet", "--orphan", "new")
    git(tree, "rm", "--quiet", "-r", "--force", ".")
    git(tree, "commit", "--quiet", "--allow-empty", "--message", "Anew")
    git(tree, "push", "--quiet", "--force", "origin", f"new:{BRANCH}")


def delete(remote: Remote, _tip: str) -> None:
    git(remote.bare, "update-ref", "-d", f"refs/heads/{BRANCH}")


@pytest.mark.parametrize("damage", [rewrite, cut_back, start_anew, delete])
def test_a_branch_that_lost_its_history_is_refused_until_it_is_put_back(
    remote: Remote, reader: Callable[[], RecordBranch], written: str, damage: Callable[[Remote, str], None]
) -> None:
    damage(remote, written)
    damaged, records = remote.tip(BRANCH), reader()

    for name in ("staging", "production", "never-released"):
        with pytest.raises(RewrittenRecord) as caught:
            records.history(name, 9)
        assert written in caught.value.message
        assert damaged in caught.value.message
    with pytest.raises(RewrittenRecord):
        records.open(deployment(3), SECOND.id)
    with pytest.raises(RewrittenRecord):
        records.open(deployment(3), "")
    with pytest.raises(RewrittenRecord):
        records.add(SECOND, LIVE)
    assert remote.tip(BRANCH) == damaged, "nothing is overwritten"

    run(told(caught.value, "Put it back"), records.git.root)
    assert remote.tip(BRANCH) == written
    assert everything(records) == ALL
    records.open(deployment(3), SECOND.id)


@pytest.mark.parametrize("damage", [rewrite, delete])
def test_a_person_may_take_the_loss(
    remote: Remote, reader: Callable[[], RecordBranch], written: str, damage: Callable[[Remote, str], None]
) -> None:
    damage(remote, written)
    records = reader()
    with pytest.raises(RewrittenRecord) as caught:
        records.history("staging", 9)
    run(told(caught.value, "lose what happened"), records.git.root)
    left = records.history("staging", 9)

    assert [one.id for one in left] == ([FIRST.id] if damage is rewrite else [])
    records.open(deployment(3), left[0].id if left else "")
    assert RecordBranch(remote.clone("another")).history("staging", 1) == (deployment(3),)


def test_what_was_written_is_never_collected_as_garbage(remote: Remote, written: str) -> None:
    delete(remote, written)
    git(remote.bare, "reflog", "expire", "--expire=now", "--all")
    git(remote.bare, "gc", "--quiet", "--prune=now")

    assert git(remote.bare, "show", f"{written}:{SECOND.path}")


def test_a_branch_that_moves_while_the_remote_answers_is_not_called_rewritten(
    remote: Remote, writer: RecordBranch, written: str
) -> None:
    # A remote names its refs one after the other: here the branch as it was, then what is kept as it is by now.
    git(remote.bare, "update-ref", f"refs/heads/{BRANCH}", f"{written}~1")
    late, slow = remote.clone("late"), remote.folder / "slow"
    slow.write_text(f'#!/bin/sh\ngit-upload-pack "$@"\ngit -C {remote.bare} update-ref refs/heads/{BRANCH} {written}\n')
    slow.chmod(0o755)
    git(late.root, "config", "remote.origin.uploadpack", str(slow))

    assert everything(RecordBranch(late)) == ALL == everything(writer)


# ---- shortened by a commit on top ----


def without_file(path: Path) -> None:
    path.unlink()


def without_line(path: Path) -> None:
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])


def with_half_a_line(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def with_other_words(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"proven", b"PROVEN"))


@pytest.mark.parametrize("damage", [without_file, without_line, with_half_a_line, empty, with_other_words])
def test_a_file_that_lost_lines_is_refused_until_they_are_put_back_and_stops_no_other_environment(
    remote: Remote, reader: Callable[[], RecordBranch], written: str, damage: Callable[[Path], None]
) -> None:
    tree = person(remote)
    damage(tree / FIRST.path)
    git(tree, "commit", "--quiet", "--all", "--message", "Tidy up")
    git(tree, "push", "--quiet", "origin", BRANCH)
    records = reader()

    for _ in range(2):  # a second look must not take it as it is
        with pytest.raises(UnreadableRecord) as caught:
            records.history("staging", 9)
        assert FIRST.path in caught.value.message
        assert written in caught.value.message
        (other,) = records.history("production", 9)
        records.add(other, LIVE)
    with pytest.raises(UnreadableRecord):
        records.open(deployment(3), SECOND.id)
    with pytest.raises(UnreadableRecord):
        records.add(SECOND, LIVE)
    with pytest.raises(UnreadableRecord):
        RecordBranch(remote.clone("another")).history("staging", 9)

    run(told(caught.value, "Put them back"), tree)
    assert [(one.id, one.phase) for one in records.history("staging", 9)] == ALL[:2]
    records.open(deployment(3), SECOND.id)
    assert len(RecordBranch(remote.clone("later")).history("staging", 9)) == 3


def test_lines_that_a_person_adds_are_no_loss(remote: Remote, reader: Callable[[], RecordBranch], written: str) -> None:
    tree = person(remote)
    (tree / "README.md").write_text("What this is\n")
    live = (tree / FIRST.path).read_bytes().splitlines()[1]
    (tree / SECOND.path).write_bytes((tree / SECOND.path).read_bytes() + live)
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--message", "By hand, without an end of line")
    git(tree, "push", "--quiet", "origin", BRANCH)
    records = reader()
    seen = records.history("staging", 1)[0]

    assert seen.phase is Phase.LIVE
    records.add(seen, Moment(Phase.ERRORED, START + timedelta(minutes=9), "later"))
    assert [moment.message for moment in records.history("staging", 1)[0].phases] == ["1 update", "proven", "later"]
    assert git(remote.bare, "merge-base", "--is-ancestor", written, BRANCH) == ""


# ---- damage that nobody can tell from what was written: the twin refuses the same ----


@pytest.fixture(params=["twin", "branch"])
def spoiled(request: pytest.FixtureRequest) -> Callable[[bytes], Records]:
    """Records with one deployment, whose file is as the test says and has been so from the first look on."""

    def twin(raw: bytes) -> Records:
        return Twin({FIRST.path: raw, OTHER.path: first_line(OTHER)})

    def branch(raw: bytes) -> Records:
        remote: Remote = request.getfixturevalue("remote")
        clone = remote.clone("spoiled")
        clone.commit(BRANCH, "Spoil", lambda _tip: {FIRST.path: raw, OTHER.path: first_line(OTHER)})
        return RecordBranch(clone)

    return twin if request.param == "twin" else branch


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param(b"", "it is empty", id="empty"),
        pytest.param(first_line(FIRST)[:100], "line 1: ", id="half a line"),
        pytest.param(first_line(FIRST) + b'{"phases": [{"pha', "line 2: ", id="half a second line"),
        pytest.param(first_line(FIRST) + b"<<<<<<< HEAD\n", "line 2: ", id="a merge's marks"),
        pytest.param(b'{"schema": 1}\n', "phases", id="no deployment"),
        pytest.param(b'{"schema": 99}\n', "99", id="another schema"),
        pytest.param(b"\xff\xfe\n", "line 1: ", id="no text"),
        pytest.param(b"[" * 100_000 + b"\n", "line 1: ", id="too deep"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_words_and_no_line_is_added_to_it(
    spoiled: Callable[[bytes], Records], raw: bytes, words: str
) -> None:
    records = spoiled(raw)

    with pytest.raises(UnreadableRecord) as caught:
        records.history("staging", 9)
    assert f"reading {FIRST.path} on branch {BRANCH}: " in caught.value.message
    assert words in caught.value.message
    assert caught.value.remedy.startswith(f"Look at what changed it: git log origin/{BRANCH} -- {FIRST.path}")
    assert records.history("production", 9) == (OTHER,)
    if raw:
        with pytest.raises(UnreadableRecord):
            records.add(FIRST, LIVE)


def test_a_file_that_is_not_there_yet_begins_with_all_that_is_known(spoiled: Callable[[bytes], Records]) -> None:
    records = spoiled(b"")
    records.add(FIRST, LIVE)

    assert records.history("staging", 1) == (replace(FIRST, phases=(*FIRST.phases, LIVE)),)


# ---- two writers ----


# Two pushes are let in only together, so that both began from the same tip.
TOGETHER = """\
mkdir -p "$GIT_DIR/../here"; : > "$GIT_DIR/../here/$$"
for wait in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  test $(ls "$GIT_DIR/../here" | wc -l) -ge 2 && exit 0
  sleep 0.1
done
"""


def test_of_two_that_write_the_same_in_the_same_second_only_one_believes_that_it_was_first(remote: Remote) -> None:
    one, other = (RecordBranch(remote.clone(name)) for name in ("one", "other"))
    remote.hook("pre-receive", TOGETHER)
    ended: list[str] = []

    def claim(records: RecordBranch, opened: Deployment) -> None:
        try:
            records.open(opened, "")
        except Stale:
            ended.append("stale")
        else:
            ended.append("first")

    threads = [threading.Thread(target=claim, args=(records, FIRST)) for records in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ended) == ["first", "stale"]
    assert len(list((remote.folder / "here").iterdir())) >= 2, "both pushes were on their way at once"


def test_a_line_whose_answer_was_lost_is_written_once(remote: Remote) -> None:
    records = RecordBranch(remote.clone("clone"))
    records.open(FIRST, "")
    remote.hook("post-update", "kill -9 $PPID")
    records.add(FIRST, LIVE)

    assert [moment.message for moment in records.history("staging", 1)[0].phases] == ["1 update", "proven"]


def test_what_a_controller_wrote_is_kept_on_the_remote_with_the_branch_or_not_at_all(remote: Remote) -> None:
    records = RecordBranch(remote.clone("clone"))
    records.open(FIRST, "")
    assert git(remote.bare, "rev-parse", KEPT) == remote.tip(BRANCH)
    before = remote.tip(BRANCH)
    remote.hook("update", f'test "$1" != {KEPT}')

    with pytest.raises(ControllerError):
        records.add(FIRST, LIVE)
    assert remote.tip(BRANCH) == before
