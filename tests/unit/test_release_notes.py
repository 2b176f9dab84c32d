"""Release notes: the commits that a proposal brings or takes away, or a sentence why they are not told."""

import pytest

from releasectl.errors import ControllerError
from releasectl.pipeline import Source
from releasectl.proposals import PROGRAM
from releasectl.release import Pin, Release
from releasectl.release_notes import MOST, Commit, Notes, notes
from tests.twins import digest

OLD, NEW = "1" * 40, "2" * 40
HERE = {"web": Source("", "service")}
ONE, TWO = Commit("a" * 40, "Ann", "Mend the door"), Commit("b" * 40, "Bo", "Paint it")


def release(letter: str, commit: str = OLD, *, program: str = OLD, version: str = "") -> Release:
    return Release("1", program, {"web": Pin(digest(letter) if letter else "", version, commit, "")})


class Git:
    """What lies between two commits; remembers what it was asked."""

    def __init__(self, brings: tuple[Commit, ...] = (), takes_away: tuple[Commit, ...] = ()) -> None:
        self.brings, self.takes_away = brings, takes_away
        self.asked: set[tuple[str, ...]] = set()

    def __call__(self, older: str, newer: str, *paths: str) -> tuple[Commit, ...]:
        self.asked.add(paths)
        return self.brings if (older, newer) == (OLD, NEW) else self.takes_away


def only(before: Release, after: Release, git: Git, sources: dict[str, Source] | None = None) -> Notes:
    [one] = notes(before, after, HERE if sources is None else sources, git)
    return one


def test_the_commits_between_two_builds_are_those_that_touched_the_service() -> None:
    git = Git((TWO, ONE))
    told = only(release("A", version="1.0"), release("B", NEW, version="1.1"), git)

    assert told == Notes("web", "1.0 -> 1.1", brings=(TWO, ONE))
    assert git.asked == {("service",)}


def test_going_back_takes_commits_away() -> None:
    told = only(release("B"), release("A", NEW), Git(takes_away=(ONE,)))

    assert (told.brings, told.takes_away) == ((), (ONE,))


def test_a_new_program_is_told_by_what_changed_it() -> None:
    git = Git((ONE,))
    told = only(release("A"), release("A", program=NEW), git)

    assert told == Notes("program", f"{OLD[:12]} -> {NEW[:12]}", brings=(ONE,))
    assert git.asked == {PROGRAM}


@pytest.mark.parametrize(
    ("before", "after", "sources", "sentence"),
    [
        pytest.param(release(""), release("A"), HERE, "the first release", id="the first release"),
        pytest.param(release("A"), release("B", ""), HERE, "does not say which commit", id="no commit is pinned"),
        pytest.param(release("A"), release("B"), HERE, "another build of the same commit", id="a rebuild"),
        pytest.param(
            release("A"),
            release("B", NEW),
            {"web": Source("a/b", ".")},
            "built from a/b, whose history",
            id="elsewhere",
        ),
        pytest.param(release("A"), release("B", NEW), {}, "the pipeline does not say", id="no source"),
        pytest.param(release("A"), release("B", NEW), HERE, "no commit between them changed service", id="no commits"),
        pytest.param(release("", program=""), release(""), HERE, "the first one", id="the first program"),
    ],
)
def test_where_no_commits_can_be_told_a_sentence_says_why(
    before: Release, after: Release, sources: dict[str, Source], sentence: str
) -> None:
    told = only(before, after, Git(), sources)

    assert sentence in told.sentence
    assert (told.brings, told.takes_away) == ((), ())


def test_commits_that_cannot_be_asked_for_do_not_stop_a_preview() -> None:
    def broken(*_: str) -> tuple[Commit, ...]:
        raise ControllerError("looking for commit 1: the remote does not have it", "Pin another.")

    [told] = notes(release("A"), release("B", NEW), HERE, broken)

    assert "the remote does not have it" in told.sentence


@pytest.mark.parametrize(
    ("brings", "takes_away", "kept", "untold"),
    [(MOST, 0, (MOST, 0), 0), (MOST + 1, 2, (MOST, 0), 3), (MOST - 1, 2, (MOST - 1, 1), 1)],
)
def test_at_most_a_hundred_commits_are_told_and_the_rest_is_counted(
    brings: int, takes_away: int, kept: tuple[int, int], untold: int
) -> None:
    told = only(release("A"), release("B", NEW), Git((ONE,) * brings, (TWO,) * takes_away))

    assert ((len(told.brings), len(told.takes_away)), told.untold) == (kept, untold)


def test_what_does_not_change_has_no_notes() -> None:
    assert notes(release("A"), release("A", NEW), HERE, Git((ONE,))) == ()
    assert notes(Release("1", "", {}), release(""), HERE, Git())[0].name == "program"
