"""The git edge on real repositories, reading: names, files, who changed what, also in a clone that is shallow."""

import functools

import pytest

from releasectl.edges.git import Git
from releasectl.errors import UnknownCommit
from tests.contract.conftest import Remote, git

PATH = "releases/staging.yaml"


@pytest.fixture
def clone(remote: Remote) -> Git:
    return remote.clone("clone")


def test_a_name_is_resolved_to_its_commit(remote: Remote, clone: Git) -> None:
    tip = remote.tip()

    assert clone.resolve("origin/main") == clone.resolve(tip[:8]) == clone.resolve("HEAD") == tip
    for nonsense in ("nowhere", "--all", ""):
        with pytest.raises(UnknownCommit):
            clone.resolve(nonsense)


def test_what_differs_is_told_by_every_path_a_rename_by_both(clone: Git) -> None:
    before = clone.fetch()
    moved = (clone.read(before, PATH) or b"") * 9
    first = clone.commit("main", "Write", lambda _tip: {"old name.yaml": moved})
    clone.commit("main", "Rename", lambda _tip: {"old name.yaml": None, "neu\u00e9\n.yaml": moved})

    assert set(clone.changed(first, clone.fetch())) == {"old name.yaml", "neu\u00e9\n.yaml"}
    assert clone.changed(first, first) == {}


def test_many_files_are_read_at_once(clone: Git) -> None:
    files = {f"deployments/{number}": b"x" * number + b"\n\n" for number in range(20)}
    commit = clone.commit("main", "Many", lambda _tip: dict(files))

    assert clone.read_many(commit, sorted(files)) == files
    assert clone.read_many(commit, []) == {}


def test_a_name_that_looks_like_an_option_or_a_pattern_is_only_a_name(clone: Git) -> None:
    odd = {"--output=x": b"1", "*": b"2", "a b\u00fc": b"3"}
    commit = clone.commit("main", "Odd", lambda _tip: dict(odd))

    for path, raw in odd.items():
        assert clone.read(commit, path) == raw
    assert clone.read(commit, "?") is None


@pytest.mark.parametrize("options", [(), ("--depth", "1")], ids=["whole", "shallow"])
def test_the_newest_commit_of_some_paths_is_the_same_in_a_shallow_clone(
    remote: Remote, options: tuple[str, ...]
) -> None:
    program = remote.commit({"stacks/a.py": b"1"}, subject="Program")
    remote.commit({"README.md": b"1"}, subject="Words")
    clone = remote.clone("late", *options)

    assert clone.newest_commit(clone.fetch(), "stacks", "Pulumi.yaml") == program
    assert clone.newest_commit(clone.fetch(), "nowhere") == ""


@pytest.mark.parametrize("options", [(), ("--depth", "1")], ids=["whole", "shallow"])
def test_who_changed_a_file_is_the_same_in_a_shallow_clone(remote: Remote, options: tuple[str, ...]) -> None:
    remote.commit({PATH: b"two\n"}, subject="Pin two")
    remote.commit({"README.md": b"1"}, subject="Words")
    clone = remote.clone("late", *options)

    assert clone.why(clone.fetch(), PATH) == ("Bo", "Pin two", "")


def test_a_file_of_an_old_commit_is_read_in_a_shallow_clone(remote: Remote) -> None:
    old = remote.tip()
    remote.commit({PATH: b"two\n"})
    clone = remote.clone("late", "--depth", "1")

    assert clone.read(old, PATH) == b"one\n"
    with pytest.raises(UnknownCommit):
        clone.read("e" * 40, PATH)


def one_more(number: int, _tip: str) -> dict[str, bytes | None]:
    return {f"{number}": b""}


def test_a_branch_that_was_fetched_without_its_history_gets_it_when_it_is_asked_for(remote: Remote) -> None:
    first = remote.tip()
    writer = remote.clone("writer")
    commits = [writer.commit("deployments", "Write", functools.partial(one_more, number)) for number in range(4)]
    clone = remote.clone("late", "--depth", "1")
    git(
        clone.root, "fetch", "--quiet", "--depth", "1", "origin", "deployments:refs/releasectl/origin/heads/deployments"
    )
    last = remote.commit({PATH: b"two\n"})

    assert clone.fetch("deployments") == commits[-1]
    assert clone.is_ancestor(commits[0], commits[-1])
    assert not clone.is_ancestor(commits[-1], commits[0])
    assert clone.is_ancestor(first, last)
    assert clone.newest_commit(commits[-1], "0") == commits[0]


def test_what_landed_by_a_merge_is_the_merge_and_not_what_was_written_days_before(remote: Remote) -> None:
    clone = remote.clone("clone")
    written = remote.commit({"releases/staging.yaml": b"two\n"}, branch="work", subject="Two")
    remote.commit({"README.md": b"x"}, subject="Words")
    git(remote.folder / "bo", "merge", "--quiet", "--no-ff", "--no-edit", "work")
    git(remote.folder / "bo", "push", "--quiet", "origin", "main")
    merge = remote.tip()
    later = remote.commit({"README.md": b"y"}, subject="More words")
    clone.fetch()

    found = clone.landed(later, "releases/staging.yaml")

    assert found is not None
    assert found.commit == merge != written
