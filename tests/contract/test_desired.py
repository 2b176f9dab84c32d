"""What the core asks of git, the same on the twin and on real clones of a real remote."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from releasectl.errors import UnknownCommit
from releasectl.world import Desired
from tests.contract.conftest import Remote
from tests.twins import Desired as Twin

PATH = "releases/staging.yaml"


@dataclass(frozen=True)
class Case:
    """A way to read, and what other people do."""

    desired: Desired
    commit: Callable[..., str]


@pytest.fixture(params=["twin", "git", "shallow"])
def case(request: pytest.FixtureRequest) -> Case:
    if request.param == "twin":
        twin = Twin()
        twin.merge({PATH: b"one\n"}, by="Bo", subject="The project")
        return Case(twin, lambda files, **more: twin.merge(files, by="Bo", **more))
    remote: Remote = request.getfixturevalue("remote")
    options = ["--depth", "1"] if request.param == "shallow" else []
    return Case(remote.clone("clone", *options), remote.commit)


class TestDesired:
    """The contract."""

    def test_fetch_gives_the_remotes_tip(self, case: Case) -> None:
        before = case.desired.fetch()
        commit = case.commit({PATH: b"two\n"}, subject="Two")

        assert case.desired.fetch() == commit != before

    def test_a_branch_that_is_not_there_has_no_tip(self, case: Case) -> None:
        assert case.desired.fetch("nowhere") == ""

    def test_files_are_read_at_a_commit_byte_for_byte(self, case: Case) -> None:
        first = case.desired.fetch()
        case.commit({PATH: b"two\r\n\xff", "new": b""}, subject="Two")
        second = case.desired.fetch()

        assert case.desired.read(first, PATH) == b"one\n"
        assert case.desired.read(second, PATH) == b"two\r\n\xff"
        assert case.desired.read(second, "new") == b""
        assert case.desired.read(first, "new") is None

    def test_history_knows_what_is_part_of_main(self, case: Case) -> None:
        first = case.desired.fetch()
        second = case.commit({PATH: b"two\n"}, subject="Two")
        branch = case.commit({PATH: b"evil\n"}, branch="pull-request", subject="Evil")
        tip = case.desired.fetch()

        assert case.desired.is_ancestor(first, tip)
        assert case.desired.is_ancestor(tip, tip)
        assert case.desired.is_ancestor(second, tip)
        assert not case.desired.is_ancestor(tip, first)
        assert not case.desired.is_ancestor(branch, tip)

    def test_an_old_commit_is_found_even_when_many_came_after_it(self, case: Case) -> None:
        first = case.desired.fetch()
        for number in range(3):
            case.commit({PATH: b"%d\n" % number}, subject=f"{number}")

        assert case.desired.is_ancestor(first, case.desired.fetch())

    def test_a_commit_that_nobody_has_is_unknown(self, case: Case, tmp_path: Path) -> None:
        with pytest.raises(UnknownCommit, match="e" * 40):
            case.desired.is_ancestor("e" * 40, case.desired.fetch())
        with pytest.raises(UnknownCommit):
            case.desired.export("e" * 40, tmp_path / "out")

    def test_export_writes_the_whole_tree_of_a_commit(self, case: Case, tmp_path: Path) -> None:
        first = case.desired.fetch()
        case.commit({PATH: b"two\n", "stacks/runtimes/a.py": b"pass"}, subject="Two")
        case.desired.export(case.desired.fetch(), tmp_path / "new")
        case.desired.export(first, tmp_path / "old")

        assert tree(tmp_path / "new") == {PATH: b"two\n", "stacks/runtimes/a.py": b"pass"}
        assert tree(tmp_path / "old") == {PATH: b"one\n"}

    def test_who_last_changed_a_file_and_why(self, case: Case) -> None:
        case.commit({PATH: b"two\n"}, subject='Pin two: it\'s "better"')
        case.commit({"README.md": b"x"}, subject="Words")
        tip = case.desired.fetch()

        assert case.desired.why(tip, PATH) == ("Bo", 'Pin two: it\'s "better"', "")
        assert case.desired.why(tip, PATH, "README.md") == ("Bo", "Words", "")
        assert case.desired.why(tip, "nowhere") == ("", "", "")

    def test_what_landed_last_is_known_with_its_time(self, case: Case) -> None:
        two = case.commit({PATH: b"two\n"}, subject="Two")
        case.commit({"README.md": b"x"}, subject="Words")
        gone = case.commit({"releases/holds/staging.yaml": b"x"}, subject="Hold")
        tip = case.desired.fetch()

        found = case.desired.landed(tip, PATH)
        assert found is not None
        assert (found.commit, found.at.utcoffset()) == (two, timedelta())
        below = case.desired.landed(tip, PATH, "releases/holds")
        assert below is not None
        assert below.commit == gone
        assert case.desired.landed(tip, "nowhere") is None

    def test_files_below_a_folder_are_listed_in_order(self, case: Case) -> None:
        case.commit({"releases/rejected/b.yaml": b"", "releases/rejected/a.yaml": b"", "other": b""}, subject="Files")
        tip = case.desired.fetch()

        assert case.desired.list(tip, "releases/rejected") == ("releases/rejected/a.yaml", "releases/rejected/b.yaml")
        assert case.desired.list(tip, PATH) == (PATH,)
        assert case.desired.list(tip, "releases/reject") == ()
        assert case.desired.list(tip, ".") == ("other", "releases/rejected/a.yaml", "releases/rejected/b.yaml", PATH)

    def test_a_commit_goes_on_top_of_the_tip_with_what_it_writes_and_deletes(self, case: Case) -> None:
        tips: list[str] = []
        before = case.commit({"old": b"x", "kept": b"y"}, subject="Files")

        def change(tip: str) -> dict[str, bytes | None]:
            tips.append(tip)
            return {"old": None, PATH: b"two\n"}

        commit = case.desired.commit("main", "Two\n\nWhy\n\nRelease-Action: automatic-rollback\n", change)

        assert (tips, case.desired.fetch()) == ([before], commit)
        assert case.desired.list(commit, ".") == ("kept", PATH)
        assert case.desired.read(commit, PATH) == b"two\n"
        assert case.desired.is_ancestor(before, commit)
        assert case.desired.why(commit, PATH) == ("releasectl", "Two", "automatic-rollback")

    def test_a_trailer_counts_only_at_the_end_of_a_message(self, case: Case) -> None:
        case.desired.commit("main", "Release-Action: bump", lambda _tip: {PATH: b"2\n"})
        assert case.desired.why(case.desired.fetch(), PATH)[2] == ""
        case.desired.commit("main", "Pin\n\nRelease-Action: bump\n\nand more words", lambda _tip: {PATH: b"3\n"})
        assert case.desired.why(case.desired.fetch(), PATH)[2] == ""

    def test_what_one_commit_has_and_another_has_not_is_told_newest_first(self, case: Case) -> None:
        first = case.desired.fetch()
        two = case.commit({PATH: b"two\n"}, subject="Two")
        case.commit({"README.md": b"x"}, subject="Words")
        tip = case.commit({"stacks/a/b.py": b"x"}, subject="Deep")

        assert [each.subject for each in case.desired.commits(first, tip, PATH, "stacks")] == ["Deep", "Two"]
        assert [(each.sha, each.author) for each in case.desired.commits(first, tip, PATH)] == [(two, "Bo")]
        assert case.desired.commits(tip, first, PATH) == ()

    def test_no_change_is_no_commit(self, case: Case) -> None:
        before = case.desired.fetch()

        assert case.desired.commit("main", "Nothing", lambda _tip: {}) == before == case.desired.fetch()

    def test_a_change_is_asked_again_for_each_tip_and_so_is_its_message(self, case: Case) -> None:
        seen: list[bytes | None] = []

        def change(tip: str) -> dict[str, bytes | None]:
            seen.append(case.desired.read(tip, "counter"))
            if len(seen) == 1:
                case.commit({"counter": b"theirs"}, subject="Theirs")
            return {"ours": b"1"}

        commit = case.desired.commit("main", lambda: f"After {len(seen)} looks", change)

        assert seen == [None, b"theirs"]
        assert (case.desired.read(commit, "counter"), case.desired.read(commit, "ours")) == (b"theirs", b"1")
        assert case.desired.why(commit, "ours")[1] == "After 2 looks"

    def test_a_new_branch_begins_where_it_is_told_to_and_main_stays(self, case: Case) -> None:
        main = case.desired.fetch()
        commit = case.desired.commit("rollback", "Back", lambda _tip: {PATH: b"back\n"}, start=main)
        later = case.desired.commit("rollback", "More", lambda _tip: {"more": b""}, start=main)

        assert (case.desired.fetch("rollback"), case.desired.fetch()) == (later, main)
        assert case.desired.is_ancestor(main, commit)
        assert case.desired.read(later, PATH) == b"back\n"


def tree(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
