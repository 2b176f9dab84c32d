"""Bumps: pin what was newly built, never go back, and change nothing that is pinned already."""

from collections.abc import Callable

import pytest

from releasectl.errors import InvalidFile
from releasectl.proposals import Build, Proposal, UnknownService, bump
from releasectl.release import parse_release
from tests.twins import digest, release_file

PATH = "releases/staging.yaml"
OLD, NEW, SIDE = "1" * 40, "2" * 40, "3" * 40
PROGRAM, NEW_PROGRAM = "a" * 40, "b" * 40
RAW = b"# kept\n" + release_file(PROGRAM, digest("A"), commit=NEW)


def on_main(older: str, newer: str) -> bool:
    """OLD came before NEW; SIDE is no relative of theirs."""
    return (older, newer) in {(OLD, NEW), (OLD, OLD), (NEW, NEW)}


def proposed(
    build: Build | None, *, program: str = "", raw: bytes = RAW, is_ancestor: Callable[[str, str], bool] = on_main
) -> Proposal:
    return bump(PATH, raw, build=build, program=program, is_ancestor=is_ancestor)


def test_a_new_build_is_pinned_with_its_labels_and_nothing_else_changes() -> None:
    proposal = proposed(Build("web", digest("B"), "1.5.0", NEW))
    pin = parse_release(PATH, proposal.files[PATH]).services["web"]

    assert (pin.digest, pin.version, pin.commit, pin.restart) == (digest("B"), "1.5.0", NEW, "")
    assert proposal.files[PATH] == (
        RAW.replace(digest("A").encode(), digest("B").encode()).replace(b'version: ""', b'version: "1.5.0"')
    )
    assert proposal.message == "Bump staging: web 1.5.0\n"


def test_labels_of_the_old_build_do_not_stay_on_a_new_one() -> None:
    pin = parse_release(PATH, proposed(Build("web", digest("B"))).files[PATH]).services["web"]

    assert (pin.version, pin.commit) == ("", "")


def test_what_is_pinned_already_changes_nothing() -> None:
    proposal = proposed(Build("web", digest("A"), "another label", OLD))

    assert (proposal.files, proposal.message) == ({}, "")
    assert proposal.reason == f"web {digest('A')[:19]} is pinned already"


def test_a_bump_of_a_bumped_file_changes_nothing() -> None:
    build = Build("web", digest("B"), "1.5.0", NEW)
    first = proposed(build, program=NEW_PROGRAM)

    assert proposed(build, program=NEW_PROGRAM, raw=first.files[PATH]).files == {}


@pytest.mark.parametrize(
    ("commit", "pins"),
    [
        pytest.param(OLD, False, id="an older commit never wins"),
        pytest.param(NEW, True, id="the same commit built again does"),
        pytest.param(SIDE, True, id="a commit that is no ancestor does"),
        pytest.param("", True, id="a build that does not say its commit does"),
    ],
)
def test_a_bump_never_goes_back(commit: str, pins: bool) -> None:
    proposal = proposed(Build("web", digest("B"), "", commit))

    assert bool(proposal.files) == pins
    assert ("is pinned at the newer commit" in proposal.reason) != pins


def test_of_two_builds_the_newer_one_wins_in_either_order() -> None:
    older, newer = Build("web", digest("B"), "", OLD), Build("web", digest("C"), "", NEW)
    start = release_file(PROGRAM, digest("A"), commit=OLD)
    ends = set()
    for first, second in ((older, newer), (newer, older)):
        raw = proposed(first, raw=start).files.get(PATH, start)
        raw = proposed(second, raw=raw).files.get(PATH, raw)
        ends.add(parse_release(PATH, raw).services["web"].digest)

    assert ends == {digest("C")}


def test_a_newer_program_is_pinned_alone_or_together_with_a_build() -> None:
    alone = proposed(None, program=NEW_PROGRAM)
    both = proposed(Build("web", digest("B"), "", NEW), program=NEW_PROGRAM)

    assert parse_release(PATH, alone.files[PATH]).program == NEW_PROGRAM
    assert alone.message == f"Bump staging: program {NEW_PROGRAM[:12]}\n"
    assert parse_release(PATH, both.files[PATH]).program == NEW_PROGRAM
    assert both.message == f"Bump staging: web {digest('B')[:19]}, program {NEW_PROGRAM[:12]}\n"


@pytest.mark.parametrize("program", [PROGRAM, ""], ids=["pinned already", "not asked for"])
def test_a_program_that_is_pinned_already_changes_nothing(program: str) -> None:
    assert proposed(None, program=program) == Proposal(f"{PATH} pins it already")


def test_a_service_that_the_file_does_not_name_is_unknown() -> None:
    with pytest.raises(UnknownService) as caught:
        proposed(Build("api", digest("B")))
    assert caught.value.message == f"bumping api in {PATH}: it names web"


def test_a_file_that_is_not_valid_is_not_edited() -> None:
    with pytest.raises(InvalidFile):
        proposed(Build("web", digest("B")), raw=RAW + b"more: 1\n")


@pytest.mark.parametrize(
    ("build", "where"),
    [
        pytest.param(Build("web", "latest"), "services.web.digest", id="a tag"),
        pytest.param(Build("web", "sha256:abc"), "services.web.digest", id="half a digest"),
        pytest.param(Build("web", digest("B"), "", "abc1234"), "services.web.commit", id="half a commit"),
        pytest.param(Build("web", digest("B"), "1\n2"), "services.web.version", id="a version of two lines"),
    ],
)
def test_what_the_next_reader_would_refuse_is_never_pinned(build: Build, where: str) -> None:
    with pytest.raises(InvalidFile, match=where):
        proposed(build)
