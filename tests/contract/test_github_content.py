"""Branches, files and signed commits through GitHub's API, over real HTTP, in a real repository."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from releasectl.edges.again import PATIENCE
from releasectl.edges.github.errors import GithubDenied, GithubFailed
from releasectl.errors import Stale
from tests.contract.github import RELEASE, Place, github_at


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv(PATIENCE, "3")
    with github_at(tmp_path) as place:
        yield place


def test_a_branch_has_a_tip_and_one_that_is_not_there_has_none(place: Place) -> None:
    assert place.edge.branches.tip("main") == place.main
    assert place.edge.branches.tip("no/such") == ""


def test_a_commit_is_real_signed_by_github_and_in_our_name(place: Place) -> None:
    new = place.edge.branches.commit(
        "main", "Bump staging: web 1.4\n\nRelease-Action: bump\n", {RELEASE: b"schema: 2\n"}, expected=place.main
    )

    made = place.github.repository.about(new)
    assert (place.main, place.file("main", RELEASE)) == (new, b"schema: 2\n")
    assert made.message == "Bump staging: web 1.4\n\nRelease-Action: bump"
    assert made.author == "github-actions[bot]"
    assert new in place.github.state.signed


def test_no_word_of_ours_keeps_github_from_starting_workflows(place: Place) -> None:
    place.edge.branches.make("words", place.main)
    new = place.edge.branches.commit("words", "Hold: [skip ci]\n", {"a": b""}, expected=place.main)
    pull = place.edge.pulls.create("words", "Promote [no ci]", "")

    assert place.github.repository.about(new).message == "Hold: (skip ci)"
    assert pull.title == "Promote (no ci)"


def test_a_commit_takes_files_away_and_keeps_the_others(place: Place) -> None:
    place.edge.branches.commit("main", "Lift", {RELEASE: None, "new": b"\x00\xff"}, expected=place.main)

    assert place.file("main", RELEASE) is None
    assert place.file("main", "new") == b"\x00\xff"
    assert place.file("main", "README.md") == b"# Shop\n"


def test_a_branch_that_moved_is_never_written(place: Place) -> None:
    seen = place.main
    theirs = place.desk.rival(files={RELEASE: "schema: 3\n"})

    with pytest.raises(Stale, match="no longer at"):
        place.edge.branches.commit("main", "Ours", {RELEASE: b"schema: 2\n"}, expected=seen)
    assert place.main == theirs


def test_a_rival_in_the_last_moment_is_seen(place: Place) -> None:
    place.desk.order("rival", path="/graphql")

    with pytest.raises(Stale):
        place.edge.branches.commit("main", "Ours", {RELEASE: b"schema: 2\n"}, expected=place.main)
    assert place.file("main", RELEASE) == b"schema: 1\n"


@pytest.mark.parametrize("fault", ["lost", "broken-after"])
def test_a_commit_whose_answer_was_lost_is_found_and_not_made_twice(place: Place, fault: str) -> None:
    before = place.main
    place.desk.order(fault, path="/graphql")

    new = place.edge.branches.commit("main", "Once", {RELEASE: b"schema: 2\n"}, expected=before)

    assert new == place.main
    assert place.github.repository.count(before, new) == (1, 0)


def test_a_lost_commit_is_found_though_others_committed_since(place: Place) -> None:
    before = place.main
    place.desk.order("lost", path="/graphql")
    place.desk.order("rival", path="/commits")

    new = place.edge.branches.commit("main", "Once", {RELEASE: b"schema: 2\n"}, expected=before)

    assert place.github.repository.about(new).parents == (before,)
    assert place.main != new


def test_another_one_s_commit_with_our_words_is_not_ours(place: Place) -> None:
    before = place.main
    place.desk.order("broken", path="/graphql")
    place.desk.order("rival", path="/commits")  # they come between the failure and our look

    with pytest.raises(Stale):
        place.edge.branches.commit("main", "A rival was faster", {RELEASE: b"schema: 2\n"}, expected=before)
    assert place.file("main", RELEASE) == b"schema: 1\n"


@pytest.mark.parametrize("fault", ["broken", "cut", "secondary"])
def test_a_commit_that_was_not_done_is_made_once(place: Place, fault: str) -> None:
    before = place.main
    place.desk.order(fault, path="/graphql")

    new = place.edge.branches.commit("main", "Once", {RELEASE: b"schema: 2\n"}, expected=before)

    assert place.github.repository.count(before, new) == (1, 0)


def test_a_protected_branch_refuses_and_says_why(place: Place) -> None:
    place.desk.protect("main", only_by_pull=True)

    with pytest.raises(GithubFailed, match="must be made through a pull request"):
        place.edge.branches.commit("main", "Direct", {RELEASE: b"x"}, expected=place.main)
    assert place.file("main", RELEASE) == b"schema: 1\n"


def test_a_token_that_may_only_read_is_told_so(place: Place) -> None:
    reader = place.as_token(place.desk.token(permissions={"contents": "read"}))

    assert reader.branches.tip("main") == place.main
    with pytest.raises(GithubDenied, match="not accessible by integration"):
        reader.branches.commit("main", "Mine", {RELEASE: b"x"}, expected=place.main)
    with pytest.raises(GithubDenied, match="not accessible by integration"):
        reader.branches.make("mine", place.main)


def test_a_file_is_read_as_it_is(place: Place) -> None:
    raw = b"\xff\x00\r\n" * 300
    new = place.edge.branches.commit("main", "Bytes", {"a/b/c": raw}, expected=place.main)

    assert place.edge.branches.read(new, "a/b/c") == raw
    assert place.edge.branches.read(place.github.repository.about(new).parents[0], "a/b/c") is None
    assert place.edge.branches.read(new, "a/b") is None, "a folder"
    assert place.edge.branches.read(new, "README.md/x") is None, "a file is no folder"


@pytest.mark.parametrize(("mode", "kind"), [("120000", "blob"), ("160000", "commit")])
def test_a_link_or_a_submodule_is_not_followed(place: Place, mode: str, kind: str) -> None:
    repository = place.github.repository
    sha = repository.raw("hash-object", "-w", "--stdin", stdin=b"/etc/passwd").decode().strip()
    listing = f"{mode} {kind} {sha if kind == 'blob' else place.main}\tstaging.yaml\n".encode()
    inner = repository.raw("mktree", "--missing", stdin=listing).decode().strip()
    tree = repository.raw("mktree", stdin=f"040000 tree {inner}\treleases\n".encode()).decode().strip()
    commit = repository.write_commit(tree, (), "Smuggled", ("mallory", "m@example.com"))

    with pytest.raises(GithubFailed, match="a link or a submodule"):
        place.edge.branches.read(commit, RELEASE)


def test_a_file_that_is_too_large_is_not_fetched(place: Place) -> None:
    new = place.edge.branches.commit("main", "Huge", {RELEASE: b"x" * (1 << 20) + b"x"}, expected=place.main)

    with pytest.raises(GithubFailed, match="are more than"):
        place.edge.branches.read(new, RELEASE)
    assert place.asked("GET", place.github.repository.git("rev-parse", f"{new}:{RELEASE}")) == 0


def test_commits_are_compared(place: Place) -> None:
    first = place.main
    ours = place.branch("ours")
    theirs = place.desk.rival()

    compare = place.edge.branches.compare
    assert compare(first, ours).status == "ahead"
    assert compare(ours, first).status == "behind"
    assert compare(ours, ours).status == "identical"
    assert (compare(ours, theirs).status, compare(ours, theirs).ahead, compare(ours, theirs).behind) == (
        "diverged",
        1,
        1,
    )
    with pytest.raises(GithubDenied, match="not there"):
        compare(first, "0" * 40)


def test_a_branch_is_made_once_and_removed_once(place: Place) -> None:
    branches = place.edge.branches
    place.desk.order("lost", method="POST", path="/git/refs")
    branches.make("release-bot/staging", place.main)
    assert branches.tip("release-bot/staging") == place.main

    branches.make("release-bot/staging", place.main)
    later = place.desk.rival()
    with pytest.raises(Stale, match="it is there already"):
        branches.make("release-bot/staging", later)

    place.desk.order("lost", method="DELETE")
    branches.remove("release-bot/staging")
    branches.remove("release-bot/staging")
    assert branches.tip("release-bot/staging") == ""


def test_a_branch_takes_in_main_without_force(place: Place) -> None:
    ours = place.branch("ours", {RELEASE: b"ours\n"})
    theirs = place.desk.rival(files={RELEASE: "theirs\n", "other": "theirs\n"})

    new = place.edge.branches.take_in("ours", theirs, "Take in main\n", {RELEASE: b"both\n"}, expected=ours)

    assert place.github.repository.about(new).parents == (ours, theirs)
    assert (place.file("ours", RELEASE), place.file("ours", "other")) == (b"both\n", b"theirs\n")
    assert new in place.github.state.signed
    assert place.edge.branches.compare(theirs, new).behind == 0


@pytest.mark.parametrize("fault", ["lost", "broken-after"])
def test_taking_in_is_done_once_though_its_answer_was_lost(place: Place, fault: str) -> None:
    ours, theirs = place.branch("ours"), place.desk.rival()
    place.desk.order(fault, method="PATCH", path="/git/refs")

    assert place.edge.branches.take_in("ours", theirs, "Take in", {}, expected=ours) == place.edge.branches.tip("ours")


def test_taking_in_loses_nobody_s_commit(place: Place) -> None:
    ours, theirs = place.branch("ours"), place.desk.rival()
    faster = place.desk.rival("ours")

    with pytest.raises(Stale):
        place.edge.branches.take_in("ours", theirs, "Take in", {}, expected=ours)
    assert place.edge.branches.tip("ours") == faster
