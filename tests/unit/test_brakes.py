"""Brakes: holds, rejections, a person's rollback: made once, lifted once, never worded for somebody else."""

from dataclasses import replace

import pytest

from releasectl import brakes
from releasectl.brakes import Verdict, WrongWords
from releasectl.pipeline import Rejection, hold_path, parse_hold, parse_rejection, rejection_path
from releasectl.proposals import NothingLive, Proposal, Rejected
from releasectl.record import Deployment, Kind, Moment, Phase
from releasectl.release import Pin, parse_release
from releasectl.target import Target, read_target, release_path, settings_path
from tests.twins import HERE, PIPELINE, SETTINGS, START, Desired, digest, releases_file

PROGRAM, NEW_PROGRAM = "b" * 40, "d" * 40
MORE = SETTINGS + b"  x: 1\n"
PATH = release_path("staging")


def pin(letter: str) -> Pin:
    """The pin of a letter's build, with labels of its own; "" is no digest yet."""
    return Pin(digest(letter), f"1.{letter}", letter.lower() * 40, "") if letter else Pin("", "", "", "")


def target(letter: str, *, program: str = PROGRAM, settings: bytes = SETTINGS) -> Target:
    """Staging with one service, as main has it."""
    git = Desired()
    files = {"pipeline.yaml": PIPELINE, PATH: releases_file(program, {"web": pin(letter)})}
    return read_target(git, git.merge(files | {settings_path("staging"): settings}), "staging")


def deployment(
    number: int,
    letter: str,
    phase: Phase = Phase.LIVE,
    *,
    kind: Kind = Kind.CHANGE,
    program: str = PROGRAM,
    settings: bytes = SETTINGS,
) -> Deployment:
    """Number and letter name it."""
    wanted = target(letter, program=program, settings=settings)
    return Deployment(
        id=f"20261121T12000{number}Z-000001", environment="staging", identity=wanted.identity, commit="c" * 40,
        program=program, settings=wanted.settings_identity, services=wanted.release.services, by="Bo", reason="Pin",
        holder=HERE, phases=(Moment(phase, START),), kind=kind,
    )  # fmt: skip


def content(proposal: Proposal, path: str) -> bytes:
    raw = proposal.files[path]
    assert raw is not None
    return raw


# ---- hold ----


@pytest.mark.parametrize("reason", ["load test", 'says "no": # 😀', "two\nlines", "x" * 2000])
def test_a_hold_says_who_why_and_since_when_and_is_made_once(reason: str) -> None:
    proposal = brakes.hold("staging", None, by="Ann", reason=reason, now=START)
    raw = content(proposal, hold_path("staging"))
    hold = parse_hold(hold_path("staging"), raw)

    assert (hold.by, hold.reason, hold.at) == ("Ann", reason, START)
    assert len(proposal.message.splitlines()) == 1
    again = brakes.hold("staging", raw, by="Bo", reason="another", now=START)
    assert (again.files, again.reason) == ({}, f"Ann holds it since 2026-11-21 12:00 UTC: {reason}")


def test_a_hold_is_lifted_once() -> None:
    assert brakes.lift_hold("staging", b"whatever is there").files == {hold_path("staging"): None}
    assert brakes.lift_hold("staging", None) == Proposal("nobody holds it")


def test_a_reason_that_no_reader_takes_is_not_written() -> None:
    with pytest.raises(WrongWords, match="holding staging: "):
        brakes.hold("staging", None, by="Ann", reason="x" * 2001, now=START)


# ---- rejection ----


def test_a_rejection_names_digest_commit_and_deployment_and_is_made_once() -> None:
    path = rejection_path("staging", "web", digest("B"))
    proposal = brakes.reject("staging", "web", None, pin=pin("B"), reason="it leaks", deployment="one")
    raw = content(proposal, path)

    assert parse_rejection(path, raw) == Rejection(digest("B"), "b" * 40, "it leaks", "one")
    again = brakes.reject("staging", "web", raw, pin=pin("B"), reason="another", deployment="")
    assert (again.files, again.reason) == ({}, f"web {digest('B')[:19]} is rejected already: it leaks")


def test_a_rejection_is_lifted_once() -> None:
    path = rejection_path("staging", "web", digest("B"))

    assert brakes.lift_rejection("staging", "web", digest("B"), b"there").files == {path: None}
    assert brakes.lift_rejection("staging", "web", digest("B"), None).files == {}


@pytest.mark.parametrize("typed", ["latest", "sha256:abc", ""])
def test_what_is_no_digest_is_not_rejected(typed: str) -> None:
    with pytest.raises(WrongWords, match="rejecting web in staging: "):
        brakes.reject("staging", "web", None, pin=Pin(typed, "", "", ""), reason="x", deployment="")


def test_the_newest_deployment_of_a_digest_tells_its_commit() -> None:
    history = (deployment(3, "C"), deployment(2, "B"), deployment(1, "B"))

    assert brakes.known(history, "web", digest("B")) == (history[1].id, "b" * 40)
    assert brakes.known(history, "api", digest("B")) == ("", "")


# ---- where a rollback goes ----

A, B, C = deployment(1, "A"), deployment(2, "B"), deployment(3, "C")
BACK_TO_B = deployment(4, "B", kind=Kind.ROLLBACK)
FAILED = deployment(3, "C", Phase.FAILED)


@pytest.mark.parametrize(
    ("pinned", "history", "good"),
    [
        pytest.param("C", (C, B, A), B, id="the one before what is live"),
        pytest.param("C", (FAILED, B, A), B, id="the one before what failed"),
        pytest.param("D", (C, B, A), C, id="what is live, before what is not applied yet"),
        pytest.param("B", (BACK_TO_B, C, B, A), A, id="a second one goes further back, never forward again"),
        pytest.param("C", (C, deployment(2, "B", Phase.FAILED), A), A, id="not to what failed"),
        pytest.param("C", (deployment(4, "C", kind=Kind.RESTART), C, B), B, id="a restart is no other release"),
        pytest.param("B", (B, deployment(1, "B", program=NEW_PROGRAM)), 1, id="another program is another release"),
        pytest.param("B", (B, deployment(1, "")), None, id="never to nothing"),
        pytest.param("A", (A,), None, id="not to itself"),
        pytest.param("A", (), None, id="no history"),
        pytest.param("", (C, B), None, id="nothing is released"),
        pytest.param("C", (C, deployment(2, "", program=""), A), None, id="not behind a teardown"),
    ],
)
def test_a_rollback_goes_to_the_last_release_that_was_well(
    pinned: str, history: tuple[Deployment, ...], good: Deployment | int | None
) -> None:
    expected = history[good] if isinstance(good, int) else good

    assert brakes.last_good(target(pinned), history) == expected


@pytest.mark.parametrize(
    ("pinned", "history", "back"),
    [
        pytest.param("B", (C, B, A), B, id="committed and not applied yet"),
        pytest.param("B", (BACK_TO_B, C, B), None, id="applied"),
        pytest.param("D", (C, B), None, id="a new release is no way back"),
        pytest.param("C", (replace(C, phases=(Moment(Phase.REFUSED, START),)), B), None, id="it was never live"),
    ],
)
def test_a_rollback_that_is_yet_to_be_applied_is_known(
    pinned: str, history: tuple[Deployment, ...], back: Deployment | None
) -> None:
    assert brakes.on_its_way_back(target(pinned), history) == back


# ---- what a rollback writes ----


def rollback(
    wanted: Target, good: Deployment, *, verdict: Verdict | None = None, rejections: dict[str, Rejection] | None = None
) -> Proposal:
    return brakes.rollback(wanted, good, settings=MORE, rejections=rejections or {}, verdict=verdict)


def test_a_rollback_pins_the_digest_with_its_labels_and_rejects_nothing_unasked() -> None:
    proposal = rollback(target("B"), A)

    assert list(proposal.files) == [PATH]
    assert parse_release(PATH, content(proposal, PATH)).services["web"] == pin("A")
    assert proposal.message == f"Roll back staging to web 1.A\n\nProven by deployment {A.id}.\n"
    assert "Release-Action" not in proposal.message, "a person asked for it"


def test_a_rollback_brings_program_and_settings_back_where_they_differ() -> None:
    good = deployment(1, "A", program=NEW_PROGRAM, settings=MORE)
    proposal = rollback(target("A"), good)

    assert parse_release(PATH, content(proposal, PATH)).program == NEW_PROGRAM
    assert proposal.files[settings_path("staging")] == MORE


def test_a_rollback_to_what_is_pinned_changes_nothing() -> None:
    assert rollback(target("A"), A, verdict=Verdict("x", (A,))) == Proposal(
        f"it pins what deployment {A.id} proved already"
    )


def test_with_a_verdict_what_goes_away_is_rejected_unless_it_is_already() -> None:
    path = rejection_path("staging", "web", digest("B"))
    rejected = rollback(target("B"), A, verdict=Verdict("it leaks", (B, A)))

    assert parse_rejection(path, content(rejected, path)) == Rejection(digest("B"), "b" * 40, "it leaks", B.id)
    before = {path: Rejection(digest("B"), "", "an older reason", "")}
    assert path not in rollback(target("B"), A, verdict=Verdict("it leaks", (B, A)), rejections=before).files


def test_a_rollback_to_a_rejected_digest_is_refused() -> None:
    path = rejection_path("staging", "web", digest("A"))
    with pytest.raises(Rejected, match="it leaks"):
        rollback(target("B"), A, rejections={path: Rejection(digest("A"), "", "it leaks", "")})


@pytest.mark.parametrize("good", [FAILED, deployment(1, "")], ids=["it failed", "it released nothing"])
def test_a_rollback_goes_only_to_what_was_live(good: Deployment) -> None:
    with pytest.raises(NothingLive, match="never ran a service, proven"):
        rollback(target("B"), good)


def test_a_rollback_has_one_branch_for_one_goal() -> None:
    assert brakes.rollback_branch("staging", A) == f"releasectl/rollback-staging-to-{A.id}"
