"""The way back: when it is allowed, and which bytes it writes."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from releasectl import way_back
from releasectl.pipeline import parse_rejection, rejection_path
from releasectl.record import Deployment, Kind, Moment, Phase
from releasectl.release import Pin, identity
from releasectl.target import Target, read_target, release_path, settings_path
from releasectl.verify import Health
from tests.twins import HERE, PIPELINE, SETTINGS, START, Desired, digest, releases_file

A, B, C = digest("A"), digest("B"), digest("C")
PROGRAM, NEW_PROGRAM = "b" * 40, "d" * 40
MORE = SETTINGS + b"  x: 1\n"
PATH = release_path("staging")


def pin(letter: str) -> Pin:
    """The pin of a letter's build, with labels of its own."""
    return Pin(digest(letter), f"1.{letter}", (letter.lower() * 40) if letter else "", "") if letter else Pin(*[""] * 4)


def target(
    pins: Mapping[str, str], *, program: str = PROGRAM, settings: bytes = SETTINGS, raw: bytes | None = None
) -> Target:
    """Staging, as main has it."""
    git = Desired()
    release = releases_file(program, {name: pin(letter) for name, letter in pins.items()}) if raw is None else raw
    files = {"pipeline.yaml": PIPELINE, PATH: release, settings_path("staging"): settings}
    return read_target(git, git.merge(files), "staging")


def deployment(
    phase: Phase,
    pins: Mapping[str, str],
    *,
    action: str = "",
    kind: Kind = Kind.CHANGE,
    program: str = PROGRAM,
    settings: bytes = SETTINGS,
    degraded: tuple[str, ...] = (),
) -> Deployment:
    """What came of pinning letters; `degraded` services failed their own proof."""
    wanted = target(pins, program=program, settings=settings)
    return Deployment(
        id="20261121T120000Z-000001", environment="staging", identity=identity(wanted.release, wanted.settings),
        commit=wanted.commit, program=program, settings=wanted.settings_identity, services=wanted.release.services,
        by="Bo", reason="Pin", holder=HERE, phases=(Moment(phase, START, "because"),), kind=kind, action=action,
        health={name: Health.DEGRADED if name in degraded else Health.HEALTHY for name in pins},
    )  # fmt: skip


def live(letter: str, *, action: str = "", kind: Kind = Kind.CHANGE) -> Deployment:
    return deployment(Phase.LIVE, {"web": letter}, action=action, kind=kind)


def failed(letter: str, *, action: str = "", kind: Kind = Kind.CHANGE) -> Deployment:
    return deployment(Phase.FAILED, {"web": letter}, action=action, kind=kind, degraded=("web",))


def refused(letter: str, *, action: str = "") -> Deployment:
    return deployment(Phase.REFUSED, {"web": letter}, action=action)


def errored(letter: str) -> Deployment:
    return deployment(Phase.ERRORED, {"web": letter})


AUTO, BUMP = way_back.AUTOMATIC, "bump"
BACK = live("A", action=AUTO, kind=Kind.ROLLBACK)

# ---- when: newest first; the number says which one it goes back to ----

WAYS = [
    ("a person's release failed", [failed("B"), live("A")], 1, "it failed"),
    ("a bump failed", [failed("B", action=BUMP), live("A", action=BUMP)], 1, "it failed"),
    ("past what was never proven", [failed("C"), errored("B"), failed("B"), refused("B"), live("A")], 4, "it failed"),
    ("it was refused", [refused("B"), live("A")], 1, "it was refused"),
    ("it was refused, twice", [refused("C"), refused("B"), live("A")], 2, "it was refused"),
    ("the first release ever failed", [failed("A")], None, "nothing to go back to"),
    ("the first release ever was refused", [refused("A")], None, "nothing to go back to"),
    ("refused after a failed one", [refused("C"), failed("B"), live("A")], None, "nothing to go back to"),
    ("refused after an unknown one", [refused("C"), errored("B"), live("A")], None, "nothing to go back to"),
    ("the first digest of its service", [failed("A"), live("")], None, "changed no digest"),
    ("the same digest again", [failed("A"), live("A")], None, "changed no digest"),
    ("a rollback failed", [failed("A", action=AUTO, kind=Kind.ROLLBACK), failed("B"), live("A")], None, "itself"),
    ("a person's rollback failed", [failed("A", kind=Kind.ROLLBACK), live("B"), live("A")], None, "itself"),
    ("two bumps in a row", [failed("C", action=BUMP), BACK, failed("B", action=BUMP), live("A")], None, "taken back"),
    ("two bumps, the rollback fell", [
        failed("C", action=BUMP), failed("A", action=AUTO, kind=Kind.ROLLBACK), failed("B", action=BUMP), live("A"),
    ], None, "taken back"),
    ("two bumps and a refused one", [
        failed("D", action=BUMP), refused("C"), BACK, failed("B", action=BUMP), live("A"),
    ], None, "taken back"),
    ("a bump, then a person", [failed("C"), BACK, failed("B", action=BUMP), live("A")], 1, "it failed"),
    ("a good one in between", [
        failed("D", action=BUMP), live("C", action=BUMP), BACK, failed("B", action=BUMP), live("A"),
    ], 1, "it failed"),
    ("a person in between", [
        failed("D", action=BUMP), errored("C"), BACK, failed("B", action=BUMP), live("A"),
    ], 2, "it failed"),
]  # fmt: skip


@pytest.mark.parametrize(("history", "good", "reason"), [pytest.param(*rest, id=name) for name, *rest in WAYS])
def test_there_is_a_way_back_only_from_a_verdict_to_what_was_good(
    history: list[Deployment], good: int | None, reason: str
) -> None:
    found = way_back.find(tuple(history), "commit")

    assert found.good == (None if good is None else history[good])
    assert reason in found.reason


@pytest.mark.parametrize("bad", [failed("B"), refused("B")], ids=["failed", "refused"])
def test_a_pipeline_that_takes_nothing_back_says_so(bad: Deployment) -> None:
    assert way_back.find((bad, live("A")), "off") == way_back.WayBack(None, "the pipeline says `rollback: off`")
    assert way_back.find((bad, live("A")), "pull-request").good


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase not in (Phase.FAILED, Phase.REFUSED)])
def test_what_is_well_unknown_or_under_way_is_never_taken_back(phase: Phase) -> None:
    assert way_back.find((deployment(phase, {"web": "B"}, degraded=("web",)), live("A")), "commit").good is None


@pytest.mark.parametrize(
    ("history", "main", "since"),
    [
        pytest.param([failed("B"), live("A")], "B", 0, id="failed and still named"),
        pytest.param([failed("B"), live("A")], "C", None, id="failed, and main says something else"),
        pytest.param([refused("B"), live("A")], "B", 0, id="refused and still named"),
        pytest.param([refused("B"), live("A")], "A", None, id="refused, and taken back"),
        pytest.param([refused("C"), failed("B"), live("A")], "B", 1, id="failed, with a refused one after it"),
        pytest.param([refused("C"), refused("B"), live("A")], "B", None, id="refused long ago, named again"),
        pytest.param([live("C"), failed("B"), live("A")], "B", None, id="failed long ago, named again"),
        pytest.param([errored("B"), live("A")], "B", None, id="unknown"),
        pytest.param([], "A", None, id="nothing was ever released"),
    ],
)
def test_the_way_back_is_asked_for_what_main_still_names(
    history: list[Deployment], main: str, since: int | None
) -> None:
    expected = () if since is None else tuple(history[since:])

    assert way_back.from_bad(tuple(history), live(main).identity) == expected


# ---- what ----

GOOD = deployment(Phase.LIVE, {"web": "A", "api": "A", "db": ""})
BAD = deployment(Phase.FAILED, {"web": "B", "api": "B", "db": ""}, degraded=("web",))


def proposed(wanted: Target, bad: Deployment = BAD, good: Deployment = GOOD) -> dict[str, bytes | None]:
    return dict(way_back.propose(wanted, bad, good, settings=SETTINGS).files)


def at_main(files: Mapping[str, bytes | None], wanted: Target) -> Target:
    """The environment once the files are merged."""
    written = {path: raw for path, raw in files.items() if raw is not None}
    git = Desired()
    return read_target(git, git.merge({"pipeline.yaml": PIPELINE, **wanted.files, **written}), "staging")


def test_every_pin_that_the_deployment_changed_goes_back_and_only_what_failed_is_rejected() -> None:
    wanted = target({"web": "B", "api": "B", "db": ""})
    files = proposed(wanted)
    path = rejection_path("staging", "web", B)

    assert at_main(files, wanted).release.services == GOOD.services
    assert set(files) == {PATH, path}
    raw = files[path]
    assert raw is not None
    found = parse_rejection(path, raw)
    assert (found.digest, found.commit, found.reason, found.deployment) == (B, "b" * 40, "because", BAD.id)


def test_the_way_back_leads_to_the_identity_of_what_was_good() -> None:
    wanted = target({"web": "B", "api": "B", "db": ""})

    assert at_main(proposed(wanted), wanted).identity == GOOD.identity


@pytest.mark.parametrize(
    ("now", "then"),
    [
        pytest.param({"web": "C", "api": "B"}, {"web": "C", "api": "A"}, id="the failed one"),
        pytest.param({"web": "B", "api": "C"}, {"web": "A", "api": "C"}, id="the other one"),
        pytest.param({"web": "C", "api": "C"}, {"web": "C", "api": "C"}, id="both"),
        pytest.param({"web": "B"}, {"web": "A"}, id="the other one is gone"),
    ],
)
def test_what_main_changed_meanwhile_stays_and_the_rejection_is_written_all_the_same(
    now: Mapping[str, str], then: Mapping[str, str]
) -> None:
    wanted = target(now)
    files = proposed(wanted)

    assert at_main(files, wanted).release.services == {name: pin(letter) for name, letter in then.items()}
    assert rejection_path("staging", "web", B) in files


@pytest.mark.parametrize(
    ("program", "settings"),
    [
        pytest.param(NEW_PROGRAM, SETTINGS, id="program"),
        pytest.param(PROGRAM, MORE, id="settings"),
        pytest.param(NEW_PROGRAM, MORE, id="both"),
    ],
)
def test_a_release_that_changed_more_than_digests_goes_back_whole_and_rejects_nothing(
    program: str, settings: bytes
) -> None:
    pins = {"web": "B", "api": "A", "db": ""}
    bad = deployment(Phase.FAILED, pins, program=program, settings=settings, degraded=("web",))
    wanted = target(pins, program=program, settings=settings)
    files = proposed(wanted, bad)

    assert set(files) == {PATH} | ({settings_path("staging")} if settings == MORE else set())
    assert at_main(files, wanted).identity == GOOD.identity


def test_a_program_or_settings_that_main_changed_meanwhile_stay() -> None:
    pins = {"web": "B", "api": "A", "db": ""}
    bad = deployment(Phase.FAILED, pins, program=NEW_PROGRAM, settings=MORE, degraded=("web",))
    newer = MORE + b"  y: 2\n"
    wanted = target(pins, program="e" * 40, settings=newer)
    files = proposed(wanted, bad)

    assert set(files) == {PATH}
    assert at_main(files, wanted).release.program == "e" * 40


def test_nothing_is_proposed_once_main_has_gone_back_by_itself() -> None:
    bad = replace(BAD, phases=(Moment(Phase.REFUSED, START, "no"),), health={})
    proposal = way_back.propose(target({"web": "A", "api": "A", "db": ""}), bad, GOOD, settings=SETTINGS)

    assert (dict(proposal.files), proposal.message) == ({}, "")
    assert "main has moved on" in proposal.reason


def test_a_refused_release_rejects_nothing() -> None:
    bad = replace(BAD, phases=(Moment(Phase.REFUSED, START, "no"),), health={})

    assert set(proposed(target({"web": "B", "api": "B", "db": ""}), bad)) == {PATH}


def test_nothing_of_a_refused_release_stays_neither_a_restart_nor_a_first_digest() -> None:
    restarted = {"web": replace(pin("A"), restart="2026-11-21T12:00:00Z"), "api": pin("A"), "db": pin("B")}
    raw = releases_file(PROGRAM, restarted)
    wanted = target({}, raw=raw)
    bad = replace(BAD, phases=(Moment(Phase.REFUSED, START, "no"),), services=wanted.release.services, health={})

    assert at_main(proposed(wanted, bad), wanted).identity == GOOD.identity


def test_a_failed_first_digest_does_not_go_back_to_nothing_and_a_restart_stays() -> None:
    bad = deployment(Phase.FAILED, {"web": "B", "api": "A", "db": "B"}, degraded=("web", "db"))
    wanted = target({"web": "B", "api": "A", "db": "B"})
    files = proposed(wanted, bad)

    assert at_main(files, wanted).release.services["db"].digest == B
    assert rejection_path("staging", "db", B) not in files


def test_comments_and_formatting_of_the_release_file_are_kept() -> None:
    raw = (
        f"# What runs in staging.\r\nschema: 1\r\nprogram: '{PROGRAM}'   # ours\r\nservices:\r\n"
        f"  web: {{digest: {B}, version: '1.B', commit: {'b' * 40}, restart: ''}}  # the front\r\n"
    ).encode()
    files = proposed(target({}, raw=raw))

    expected = raw.replace(B.encode(), A.encode()).replace(b"1.B", b"1.A").replace(b"b" * 40 + b",", b"a" * 40 + b",")
    assert files[PATH] == expected


@pytest.mark.parametrize(
    "reason",
    ['a "quoted" \\ word', "two\nlines: {and} #more", "\x1b[31mred\x00", "\N{SNOWMAN}\u2028", "x" * 5000, "- a\n- b"],
    ids=["quotes", "lines", "control characters", "other scripts", "long", "a list"],
)
def test_whatever_a_log_said_the_rejection_can_be_read_again(reason: str) -> None:
    bad = replace(BAD, phases=(Moment(Phase.FAILED, START, reason),))
    path = rejection_path("staging", "web", B)
    raw = proposed(target({"web": "B", "api": "B", "db": ""}), bad)[path]
    assert raw is not None

    assert (parse_rejection(path, raw).digest, parse_rejection(path, raw).deployment) == (B, BAD.id)


def test_a_failure_without_words_still_makes_a_rejection_that_can_be_read() -> None:
    bad = replace(BAD, phases=(Moment(Phase.FAILED, START, ""),))
    path = rejection_path("staging", "web", B)
    raw = proposed(target({"web": "B", "api": "B", "db": ""}), bad)[path]
    assert raw is not None

    assert parse_rejection(path, raw).digest == B


def test_the_message_says_what_why_and_that_it_was_automatic() -> None:
    lines = way_back.propose(target({"web": "B", "api": "B"}), BAD, GOOD, settings=None).message.splitlines()

    assert lines == [
        f"Roll back staging: back to deployment {GOOD.id}, web rejected", "", "because", "",
        "Release-Action: automatic-rollback",
    ]  # fmt: skip


@pytest.mark.parametrize("reason", ["words\n\nRelease-Action: bump", "Release-Action: bump"])
def test_no_word_of_a_log_becomes_the_action_of_the_commit(reason: str) -> None:
    bad = replace(BAD, phases=(Moment(Phase.FAILED, START, reason),))
    wanted = target({"web": "B", "api": "B"})
    proposal = way_back.propose(wanted, bad, GOOD, settings=None)
    git = Desired()
    git.merge(wanted.files)

    commit = git.commit("main", proposal.message, lambda _tip: proposal.files)
    assert git.why(commit, PATH)[2] == way_back.AUTOMATIC
