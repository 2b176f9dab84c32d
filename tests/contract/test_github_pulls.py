"""Pull requests and their comments over real HTTP: ours found, edited in place, merged; nobody else's ever touched."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from releasectl.edges.again import PATIENCE
from releasectl.edges.github.errors import GithubFailed
from releasectl.errors import Stale
from releasectl.forge import Actor
from tests.contract.github import RELEASE, Place, github_at

MARKER = "<!-- release-controller: preview staging -->"
HOSTILE = "@team <script>alert(1)</script> ${{ secrets.X }} \u202e `; rm -rf /` ]]> -->\n\x1b[31m" + MARKER


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv(PATIENCE, "3")
    with github_at(tmp_path) as place:
        yield place


def test_a_pull_request_is_opened_found_edited_and_closed(place: Place) -> None:
    commit = place.branch("bot/staging")
    pulls = place.edge.pulls

    made = pulls.create("bot/staging", "Bump staging", HOSTILE)

    assert (made.head, made.commit, made.base, made.is_open, made.merged) == ("bot/staging", commit, "main", True, "")
    assert made.body == HOSTILE
    assert made.author == Actor("github-actions[bot]", 41898282)
    assert pulls.find("bot/staging") == made
    assert pulls.update(made.number, "Bump again", "words").title == "Bump again"
    assert not pulls.close(made.number).is_open
    assert pulls.find("bot/staging") is None


def test_of_one_branch_there_is_one_pull_request(place: Place) -> None:
    number = place.pull()

    assert place.edge.pulls.create("work", "Again", "").number == number


@pytest.mark.parametrize("fault", ["lost", "broken-after"])
@pytest.mark.parametrize("stale", [False, True], ids=["seen", "not yet seen"])
def test_a_pull_request_whose_answer_was_lost_is_not_opened_twice(place: Place, fault: str, stale: bool) -> None:
    place.branch("work")
    place.desk.order(fault, method="POST", path="/pulls$")
    if stale:
        place.desk.order("stale", method="GET", path="/pulls$")

    made = place.edge.pulls.create("work", "Once", "")

    assert [one.number for one in place.github.state.pulls.values()] == [made.number]


def test_a_fork_s_branch_of_the_same_name_is_not_ours(place: Place) -> None:
    theirs = place.desk.fork_pull("mallory", "bot/staging", {RELEASE: "evil\n"})

    assert place.edge.pulls.find("bot/staging") is None
    found = place.edge.pulls.get(theirs)
    assert (found.is_foreign, found.author.login) == (True, "mallory")


def test_what_cannot_be_opened_is_told_with_the_reason(place: Place) -> None:
    place.edge.branches.make("same", place.main)

    with pytest.raises(GithubFailed, match="No commits between main and same"):
        place.edge.pulls.create("same", "Nothing", "")
    with pytest.raises(GithubFailed, match="Validation Failed"):
        place.edge.pulls.create("none", "Nothing", "")


def test_all_files_of_a_pull_request_are_told(place: Place) -> None:
    place.branch("many", {f"file-{number:03}": b"x" for number in range(150)} | {"README.md": None})
    number = place.edge.pulls.create("many", "Many", "").number

    files = place.edge.pulls.files(number)

    assert len(files) == 151
    assert ("README.md", "removed") in {(one.path, one.status) for one in files}


def test_a_file_that_got_another_name_is_told_with_the_old_one(place: Place) -> None:
    place.branch("moved", {"README.md": None, RELEASE + ".md": b"# Shop\n"})
    number = place.edge.pulls.create("moved", "Moved", "").number

    assert [(one.path, one.before) for one in place.edge.pulls.files(number)] == [(RELEASE + ".md", "README.md")]


def test_a_list_of_files_that_is_not_whole_is_refused(place: Place) -> None:
    place.branch("many", {f"file-{number:03}": b"x" for number in range(150)})
    number = place.edge.pulls.create("many", "Many", "").number
    place.desk.order("stale", method="GET", path=f"/pulls/{number}$")
    place.edge.branches.commit("many", "One more", {"more": b""}, expected=place.edge.branches.tip("many"))

    with pytest.raises(GithubFailed, match="151 of 150 are listed"):
        place.edge.pulls.files(number)


def test_what_brought_a_commit_to_main_is_found_by_its_merge_and_by_what_was_merged(place: Place) -> None:
    before, number = place.main, place.pull()
    head = place.edge.pulls.get(number).commit
    assert place.edge.pulls.of(head) == (), "not merged yet"

    merged = place.edge.pulls.merge(number, head).commit
    later = place.desk.rival()

    assert [one.number for one in place.edge.pulls.of(merged)] == [number]
    assert [one.number for one in place.edge.pulls.of(head)] == [number]
    assert place.edge.pulls.of(later) == place.edge.pulls.of(before) == place.edge.pulls.of("e" * 40) == ()


# ---- merging ----


def test_a_merge_is_a_real_one(place: Place) -> None:
    number = place.pull()
    pull = place.edge.pulls.get(number)

    merged = place.edge.pulls.merge(number, pull.commit, title="Merge it", message="because")

    assert merged.commit == place.main
    assert place.github.repository.about(place.main).message == "Merge it\n\nbecause"
    assert place.edge.pulls.get(number).merged == place.main
    assert place.edge.pulls.merge(number, pull.commit).commit == place.main, "asked again, the same"


def test_a_required_check_that_is_missing_or_red_refuses_and_a_green_one_lets_through(place: Place) -> None:
    place.desk.protect("main", ["checks"], only_by_pull=True)
    number = place.pull()
    commit = place.edge.pulls.get(number).commit

    assert "checks" in place.edge.pulls.merge(number, commit).refusal
    place.desk.check(commit, "checks", "failure")
    assert "checks" in place.edge.pulls.merge(number, commit).refusal
    place.desk.check(commit, "checks", "success")
    assert place.edge.pulls.merge(number, commit).commit == place.main


def test_a_head_that_moved_is_not_merged(place: Place) -> None:
    number = place.pull()
    seen, main = place.edge.pulls.get(number).commit, place.main
    place.desk.rival("work")

    with pytest.raises(Stale, match="moved"):
        place.edge.pulls.merge(number, seen)
    assert place.main == main


def test_a_base_that_moves_in_the_middle_is_told_and_merged_when_asked_again(place: Place) -> None:
    number = place.pull()
    commit = place.edge.pulls.get(number).commit
    place.desk.order("moved", method="PUT")

    with pytest.raises(Stale):
        place.edge.pulls.merge(number, commit)
    assert place.edge.pulls.merge(number, commit).commit == place.main


def test_a_conflict_is_a_refusal(place: Place) -> None:
    place.branch("work", {RELEASE: b"ours\n"})
    number = place.edge.pulls.create("work", "Ours", "").number
    place.desk.rival(files={RELEASE: "theirs\n"})

    assert "not mergeable" in place.edge.pulls.merge(number, place.edge.branches.tip("work")).refusal


@pytest.mark.parametrize("fault", ["lost", "broken-after"])
def test_a_merge_whose_answer_was_lost_is_found(place: Place, fault: str) -> None:
    number = place.pull()
    place.desk.order(fault, method="PUT", path="/merge$")

    merged = place.edge.pulls.merge(number, place.edge.pulls.get(number).commit)

    assert merged.commit == place.main
    assert place.asked("PUT", "/merge") == 1


# ---- comments ----


def test_ours_is_written_once_and_edited_in_place(place: Place) -> None:
    number = place.pull()

    first = place.edge.comments.put(number, MARKER, HOSTILE)
    again = place.edge.comments.put(number, MARKER, HOSTILE)
    edited = place.edge.comments.put(number, MARKER, "shorter")

    assert (first.id, first.id) == (again.id, edited.id)
    assert edited.body == f"{MARKER}\nshorter"
    assert first.body == f"{MARKER}\n{HOSTILE}"
    assert (place.asked("POST", "/comments"), place.asked("PATCH", f"/comments/{first.id}")) == (1, 1)


def test_ours_is_found_behind_hundreds_of_others(place: Place) -> None:
    number = place.pull()
    ours = place.edge.comments.put(number, MARKER, "one")
    for count in range(230):
        place.desk.comment("alice", number, f"comment {count}")

    assert place.edge.comments.put(number, MARKER, "two").id == ours.id
    assert len(place.edge.comments.all(number)) == 231


def test_pages_that_move_while_they_are_read_repeat_nothing(place: Place) -> None:
    number = place.pull()
    for count in range(130):
        place.desk.comment("alice", number, f"comment {count}")
    place.desk.order("repeated", path="/comments$", times=2)

    assert [one.body for one in place.edge.comments.all(number)] == [f"comment {count}" for count in range(130)]


@pytest.mark.parametrize(
    "planter", ["mallory", "github-actions", "github-actions-bot", "Github-Actions[bot]", "github-actions[bot] "]
)
def test_a_planted_marker_is_neither_found_nor_edited_nor_taken_away(place: Place, planter: str) -> None:
    number = place.pull()
    body = f"{MARKER}\nAll gates say yes. Merge me."
    planted = place.desk.comment(planter, number, body)

    ours = place.edge.comments.put(number, MARKER, "the truth")
    place.edge.comments.put(number, MARKER, "the newer truth")

    assert ours.id != planted
    assert place.github.state.comments[planted].body == body
    assert place.edge.comments.find(number, MARKER) is not None


def test_a_marker_that_is_only_quoted_or_a_longer_one_is_not_ours(place: Place) -> None:
    number = place.pull()
    longer = place.edge.comments.put(number, "<!-- release-controller: preview staging-tokyo -->", "other")
    quoting = place.edge.comments.put(number, "<!-- other -->", MARKER)

    ours = place.edge.comments.put(number, MARKER, "ours")

    assert len({longer.id, quoting.id, ours.id}) == 3


def test_another_app_s_comment_is_not_ours(place: Place) -> None:
    number = place.pull()
    other = place.as_token(place.desk.token(login="other-app", kind="app"))
    theirs = other.comments.put(number, MARKER, "theirs")

    ours = place.edge.comments.put(number, MARKER, "ours")

    assert ours.id != theirs.id
    assert other.comments.put(number, MARKER, "theirs still").id == theirs.id


@pytest.mark.parametrize("fault", ["lost", "broken-after"])
def test_a_comment_whose_answer_was_lost_is_not_written_twice(place: Place, fault: str) -> None:
    number = place.pull()
    place.desk.order(fault, method="POST", path="/comments$")

    ours = place.edge.comments.put(number, MARKER, "once")

    assert list(place.github.state.comments) == [ours.id]


def test_of_two_that_a_stale_look_left_one_stays(place: Place) -> None:
    number = place.pull()
    first = place.edge.comments.put(number, MARKER, "one")
    place.desk.order("stale", method="GET", path="/comments$")
    second = place.edge.comments.put(number, MARKER, "two")
    assert first.id != second.id

    place.edge.comments.put(number, MARKER, "three")

    assert {one.id: one.body for one in place.github.state.comments.values()} == {first.id: f"{MARKER}\nthree"}


def test_a_comment_that_is_too_long_is_not_sent(place: Place) -> None:
    number = place.pull()

    with pytest.raises(GithubFailed, match="characters are too many"):
        place.edge.comments.put(number, MARKER, "x" * 65_536)
    assert place.asked("POST", "/comments") == 0
