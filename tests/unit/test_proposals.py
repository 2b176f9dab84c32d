"""Bumps, promotions, restarts: what is written, what is left, and what is never written."""

from collections.abc import Callable

import pytest

from releasectl.errors import InvalidFile
from releasectl.pipeline import Rejection, rejection_path
from releasectl.proposals import (
    Build,
    NothingLive,
    Proposal,
    Rejected,
    UnknownService,
    adopt,
    adoption_branch,
    bump,
    empty,
    is_promotion_to,
    newer_program,
    promote,
    promotion_branch,
    redeploy,
)
from releasectl.record import Deployment, Moment, Phase
from releasectl.release import Pin, parse_release
from tests.twins import HERE, START, digest, release_file, releases_file

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


def written(proposal: Proposal, path: str = PATH) -> bytes:
    raw = proposal.files[path]
    assert raw is not None
    return raw


def test_a_new_build_is_pinned_with_its_labels_and_nothing_else_changes() -> None:
    proposal = proposed(Build("web", digest("B"), "1.5.0", NEW))
    pin = parse_release(PATH, written(proposal)).services["web"]

    assert (pin.digest, pin.version, pin.commit, pin.restart) == (digest("B"), "1.5.0", NEW, "")
    assert written(proposal) == (
        RAW.replace(digest("A").encode(), digest("B").encode()).replace(b'version: ""', b'version: "1.5.0"')
    )
    assert proposal.message == "Bump staging: web 1.5.0\n\nRelease-Action: bump\n"


def test_labels_of_the_old_build_do_not_stay_on_a_new_one() -> None:
    pin = parse_release(PATH, written(proposed(Build("web", digest("B"))))).services["web"]

    assert (pin.version, pin.commit) == ("", "")


def test_what_is_pinned_already_changes_nothing() -> None:
    proposal = proposed(Build("web", digest("A"), "another label", OLD))

    assert (proposal.files, proposal.message) == ({}, "")
    assert proposal.reason == f"web {digest('A')[:19]} is pinned already"


def test_a_bump_of_a_bumped_file_changes_nothing() -> None:
    build = Build("web", digest("B"), "1.5.0", NEW)
    first = proposed(build, program=NEW_PROGRAM)

    assert proposed(build, program=NEW_PROGRAM, raw=written(first)).files == {}


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
        raw = proposed(first, raw=start).files.get(PATH) or start
        raw = proposed(second, raw=raw).files.get(PATH) or raw
        ends.add(parse_release(PATH, raw).services["web"].digest)

    assert ends == {digest("C")}


def test_a_newer_program_is_pinned_alone_or_together_with_a_build() -> None:
    alone = proposed(None, program=NEW_PROGRAM)
    both = proposed(Build("web", digest("B"), "", NEW), program=NEW_PROGRAM)

    assert parse_release(PATH, written(alone)).program == NEW_PROGRAM
    assert alone.message == f"Bump staging: program {NEW_PROGRAM[:12]}\n\nRelease-Action: bump\n"
    assert parse_release(PATH, written(both)).program == NEW_PROGRAM
    assert both.message.splitlines()[0] == f"Bump staging: web {digest('B')[:19]}, program {NEW_PROGRAM[:12]}"


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


REJECTED = Rejection(digest("X"), SIDE, "it leaks", "20261121T120000Z-000001")
REJECTIONS = {rejection_path("staging", "web", digest("X")): REJECTED}


@pytest.mark.parametrize(
    ("build", "which"),
    [
        pytest.param(Build("web", digest("X")), "digest", id="the digest"),
        pytest.param(
            Build("web", digest("B"), "", SIDE), f"a build of commit {SIDE[:12]}", id="a rebuild of its commit"
        ),
    ],
)
def test_a_rejected_build_is_not_bumped_and_the_reason_and_its_file_are_told(build: Build, which: str) -> None:
    with pytest.raises(Rejected) as caught:
        bump(PATH, RAW, build=build, program="", is_ancestor=on_main, rejections=REJECTIONS)

    assert which in caught.value.message
    assert "it leaks" in caught.value.message
    assert next(iter(REJECTIONS)) in caught.value.remedy
    assert caught.value.exit_code == 1


def test_a_rejection_of_one_build_stops_no_other_and_no_other_service() -> None:
    raw = releases_file(PROGRAM, {"api": Pin("", "", "", ""), "web": Pin(digest("A"), "", "", "")})
    for build in (Build("web", digest("B"), "", NEW), Build("api", digest("B"), "", SIDE)):
        assert bump(PATH, raw, build=build, program="", is_ancestor=on_main, rejections=REJECTIONS).files


@pytest.mark.parametrize(
    ("pinned", "newest", "taken"),
    [
        pytest.param("", NEW, NEW, id="the first one"),
        pytest.param(OLD, NEW, NEW, id="a newer one"),
        pytest.param(NEW, NEW, "", id="the same one"),
        pytest.param(NEW, OLD, "", id="never an older one"),
        pytest.param(SIDE, NEW, NEW, id="one that is not on main is left behind"),
    ],
)
def test_the_program_moves_forward_only(pinned: str, newest: str, taken: str) -> None:
    assert newer_program(pinned, newest, on_main) == taken


# ---- promotion ----

PRODUCTION = "releases/production.yaml"
NEXT = b"# kept\n" + releases_file(
    PROGRAM, {"api": Pin(digest("P"), "0.9", OLD, "2026-01-01T00:00:00Z"), "web": Pin("", "", "", "")}
)
PROVEN = {"api": Pin("", "", "", ""), "web": Pin(digest("B"), "1.5.0", NEW, "2026-02-02T00:00:00Z")}


def deployment(phase: Phase = Phase.LIVE, pins: dict[str, Pin] | None = None, program: str = NEW_PROGRAM) -> Deployment:
    return Deployment(
        id="20261121T120000Z-000001", environment="staging", identity="e" * 64, commit=NEW, program=program,
        settings="", services=PROVEN if pins is None else pins, by="Bo", reason="Pin", holder=HERE,
        phases=(Moment(phase, START),),
    )  # fmt: skip


def test_a_promotion_pins_what_was_proven_and_the_program_and_leaves_the_rest() -> None:
    proposal = promote(PRODUCTION, NEXT, deployment(), {})
    release = parse_release(PRODUCTION, written(proposal, PRODUCTION))

    assert release.program == NEW_PROGRAM
    assert release.services["web"] == Pin(digest("B"), "1.5.0", NEW, "")
    assert release.services["api"] == parse_release(PRODUCTION, NEXT).services["api"], "it has no digest there"
    assert written(proposal, PRODUCTION).startswith(b"# kept\n")
    assert proposal.message == (
        f"Promote to production: web 1.5.0, program {NEW_PROGRAM[:12]}\n\n"
        "Proven in staging by 20261121T120000Z-000001.\n"
    )


def test_a_promotion_that_is_pinned_already_changes_nothing() -> None:
    again = promote(PRODUCTION, written(promote(PRODUCTION, NEXT, deployment(), {}), PRODUCTION), deployment(), {})

    assert again == Proposal("it pins what deployment 20261121T120000Z-000001 proved already")


def test_a_service_that_the_next_environment_does_not_name_is_left() -> None:
    source = deployment(pins={"web": PROVEN["web"], "other": PROVEN["web"]})
    release = parse_release(PRODUCTION, written(promote(PRODUCTION, NEXT, source, {}), PRODUCTION))

    assert set(release.services) == {"api", "web"}


@pytest.mark.parametrize(
    ("source", "why"),
    [
        pytest.param(deployment(Phase.FAILED), "is failed, not live", id="it failed"),
        pytest.param(deployment(Phase.VERIFYING), "is verifying, not live", id="it is not proven yet"),
        pytest.param(deployment(pins={"web": Pin("", "", "", "")}), "released no service", id="it released nothing"),
    ],
)
def test_only_what_was_live_is_promoted(source: Deployment, why: str) -> None:
    with pytest.raises(NothingLive, match=why):
        promote(PRODUCTION, NEXT, source, {})


def test_an_environment_without_a_program_is_created_before_anything_is_promoted_to_it() -> None:
    with pytest.raises(NothingLive) as caught:
        promote(PRODUCTION, releases_file("", {"web": Pin("", "", "", "")}), deployment(), {})
    assert "bump --program --environment production" in caught.value.remedy


def test_a_rejected_digest_is_not_promoted() -> None:
    path = rejection_path("staging", "web", digest("B"))
    with pytest.raises(Rejected, match="it leaks"):
        promote(PRODUCTION, NEXT, deployment(), {path: Rejection(digest("B"), "", "it leaks", "")})


def test_one_proven_release_has_one_branch() -> None:
    assert promotion_branch("production", deployment()) == "releasectl/promote-production-eeeeeeeeeeee"


def test_the_branch_of_a_promotion_is_known_by_its_environment_in_full() -> None:
    branch = promotion_branch("prod-eu", deployment())

    assert is_promotion_to("prod-eu", branch)
    assert not is_promotion_to("prod", branch)
    assert not is_promotion_to("prod-eu", f"{branch}-by-hand")


# ---- restart ----


@pytest.mark.parametrize(
    ("asked", "restarted"),
    [pytest.param((), {"api"}, id="all that run"), pytest.param(("api",), {"api"}, id="a named one")],
)
def test_a_restart_changes_the_time_of_what_runs_and_nothing_else(asked: tuple[str, ...], restarted: set[str]) -> None:
    proposal = redeploy(PRODUCTION, NEXT, asked, START)
    before, after = parse_release(PRODUCTION, NEXT), parse_release(PRODUCTION, written(proposal, PRODUCTION))

    assert {name for name, pin in after.services.items() if pin.restart == "2026-11-21T12:00:00Z"} == restarted
    assert (after.program, after.services["web"]) == (before.program, before.services["web"])
    assert (after.services["api"].digest, after.services["api"].version) == (digest("P"), "0.9")
    assert proposal.message == "Restart production: api\n"


def test_nothing_is_restarted_where_nothing_runs() -> None:
    assert redeploy(PRODUCTION, releases_file(PROGRAM, {"web": Pin("", "", "", "")}), (), START).files == {}
    with pytest.raises(NothingLive, match="it has no digest yet"):
        redeploy(PRODUCTION, NEXT, ("web",), START)
    with pytest.raises(UnknownService, match="it names api, web"):
        redeploy(PRODUCTION, NEXT, ("wep",), START)


# ---- the end ----


def test_an_emptied_file_keeps_its_keys_and_is_emptied_once() -> None:
    proposal = empty(PRODUCTION, NEXT)
    release = parse_release(PRODUCTION, written(proposal, PRODUCTION))

    assert release.program == ""
    assert {name: (pin.digest, pin.version, pin.commit) for name, pin in release.services.items()} == {
        "api": ("", "", ""),
        "web": ("", "", ""),
    }
    assert empty(PRODUCTION, written(proposal, PRODUCTION)) == Proposal(f"{PRODUCTION} is empty already")


# ---- what somebody made run by hand ----


def test_what_runs_is_pinned_with_the_commit_that_its_image_names() -> None:
    proposal = adopt(PATH, RAW, [Build("web", digest("B"), commit=SIDE)], {})
    pin = parse_release(PATH, written(proposal)).services["web"]

    assert (pin.digest, pin.version, pin.commit) == (digest("B"), "", SIDE)
    assert proposal.message.startswith(f"Adopt in staging: web {digest('B')[:19]}\n")


def test_what_is_pinned_is_not_adopted_again() -> None:
    for builds in ([], [Build("web", digest("A"))]):
        assert adopt(PATH, RAW, builds, {}).files == {}


@pytest.mark.parametrize("build", [Build("web", digest("B")), Build("web", digest("C"), commit=SIDE)])
def test_what_was_rejected_and_a_build_of_its_commit_are_not_adopted(build: Build) -> None:
    rejection = Rejection(digest("B"), SIDE, "it counts twice", "")

    with pytest.raises(Rejected, match=r"adopting web in staging: .* it counts twice"):
        adopt(PATH, RAW, [build], {rejection_path("staging", "web", digest("B")): rejection})


def test_the_same_digests_are_adopted_on_one_branch() -> None:
    assert adoption_branch("staging", [Build("web", digest("B"))]) == f"releasectl/adopt-staging-{digest('B')[7:19]}"
