"""Every gate and every kind of change, as the table of the design has it; overrides; stays."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from releasectl import admission
from releasectl.admission import Evidence, Stay, admit, concerns, stays
from releasectl.errors import Finding
from releasectl.freeze import Freeze
from releasectl.image_facts import ImageFacts, Scan
from releasectl.pipeline import Hold, Override, Passable, Rejection
from releasectl.record import Deployment, Kind, Moment, Phase
from releasectl.release import Pin
from tests.twins import HERE, START, digest

HOUR = timedelta(hours=1)
SAME, OTHER = "5" * 64, "6" * 64
COMMIT, ELSE = "c" * 40, "d" * 40
A, B = digest("A"), digest("B")
PIN = Pin(A, "1.4.0", COMMIT, "")
GOOD = ImageFacts(revision=COMMIT, scan=Scan("done", {"HIGH": 3}))
WINDOW = Freeze("16:00", "24:00", "UTC", "weekend", days=("sat",))


M = timedelta(minutes=5)  # between intent and verdict


def deployment(phase: Phase, at: timedelta, *, pins: Mapping[str, str]) -> Deployment:
    """A deployment that began `at` after START."""
    moments = (Moment(Phase.APPLYING, START + at), Moment(phase, START + at + M))
    return Deployment(
        id="20261121T120000Z-000001", environment="staging", identity=SAME, commit=COMMIT, program="b" * 40,
        settings="", services={name: Pin(pinned, "", "", "") for name, pinned in pins.items()}, by="Bo",
        reason="Pin", holder=HERE, phases=moments,
    )  # fmt: skip


# All gates have what they want: a new digest in production that staging proved for the soak.
FINE = Evidence(
    environment="production",
    kind=Kind.CHANGE,
    identity=SAME,
    now=START,
    changed={"web": PIN},
    previous="staging",
    soak=HOUR,
    stays={"web": (Stay(START - 2 * HOUR),)},
    demanded=("provenance", "vulnerabilities"),
    images={"web": GOOD},
)
FINDING = Finding("plan-shape", "urn", "this release would replace it", "Look for drift.")
WRONG = {
    "digest-readable": replace(FINE, unreadable=(replace(FINDING, rule="digest-readable"),)),
    "rejected": replace(
        FINE, rejections={"releases/rejected/staging-web-x.yaml": Rejection(A, COMMIT, "it broke", "")}
    ),
    "hold": replace(FINE, hold=Hold("Ann", "an incident", START)),
    "freeze": replace(FINE, frozen=(WINDOW, START + HOUR)),
    "soak": replace(FINE, stays={}),
    "provenance": replace(FINE, images={"web": replace(GOOD, revision=ELSE)}),
    "vulnerabilities": replace(FINE, images={"web": replace(GOOD, scan=Scan("done", {"CRITICAL": 1}))}),
    "plan-shape": replace(FINE, outside=(FINDING,)),
    "settled": replace(FINE, unsettled=deployment(Phase.APPLYING, timedelta(), pins={})),
}
# A bump, a promotion and a person's edit are one kind: what a commit says of itself opens no gate.
KINDS = {
    "bump": Kind.CHANGE, "promotion": Kind.CHANGE, "person": Kind.CHANGE, "rollback": Kind.ROLLBACK,
    "restart": Kind.RESTART, "drift fix": Kind.DRIFT_FIX,
}  # fmt: skip
TABLE = """
                    bump     promotion  person   rollback  restart  drift fix
digest-readable     refused  refused    refused  refused   refused  refused
rejected            refused  refused    refused  passes    passes   passes
hold                waiting  waiting    waiting  passes    passes   waiting
freeze              waiting  waiting    waiting  passes    waiting  waiting
soak                waiting  waiting    waiting  passes    passes   passes
provenance          refused  refused    refused  note      passes   passes
vulnerabilities     refused  refused    refused  note      passes   passes
plan-shape          refused  refused    refused  refused   refused  refused
settled             waiting  waiting    waiting  passes    waiting  waiting
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()[1:]]
CELLS = [(row[0], kind, said) for row in ROWS for kind, said in zip(KINDS, row[1:], strict=True)]


def answers(evidence: Evidence, *, planned: bool = True) -> dict[str, str]:
    """The gates that said something, with what they said."""
    return {no.finding.rule: str(no.answer) for no in admit(evidence, planned=planned).nos}


@pytest.mark.parametrize(
    ("gate", "kind", "said"), [pytest.param(*cell, id=f"{cell[1]}: {cell[0]} {cell[2]}") for cell in CELLS]
)
def test_each_gate_says_to_each_kind_of_change_what_the_table_says(gate: str, kind: str, said: str) -> None:
    expected = {} if said == "passes" else {gate: said}

    assert answers(replace(WRONG[gate], kind=KINDS[kind])) == expected


def test_the_table_above_has_every_gate() -> None:
    assert [row[0] for row in ROWS] == [gate.name for gate in admission.GATES] == list(WRONG)


@pytest.mark.parametrize("kind", list(Kind))
def test_where_every_gate_has_what_it_wants_nothing_is_said(kind: Kind) -> None:
    assert admit(replace(FINE, kind=kind), planned=True) == admission.Admission()


def test_gates_that_need_a_plan_are_not_asked_before_there_is_one() -> None:
    before = {gate for gate in WRONG if answers(WRONG[gate], planned=False)}

    assert before == {"rejected", "hold", "freeze", "soak", "settled"}


def test_every_no_says_what_to_do_and_reads_as_a_sentence() -> None:
    for gate, evidence in WRONG.items():
        (no,) = admit(evidence, planned=True).nos
        assert no.finding.remedy
        assert no.finding.where
        assert str(no).startswith(f"{no.answer} by {gate}")


# ---- how long ----


@pytest.mark.parametrize(
    ("evidence", "until"),
    [
        pytest.param(WRONG["freeze"], START + HOUR, id="the end of a freeze"),
        pytest.param(replace(FINE, stays={"web": (Stay(START - HOUR / 4),)}), START + HOUR * 3 / 4, id="of a soak"),
        pytest.param(
            replace(WRONG["freeze"], stays={"web": (Stay(START),)}, soak=3 * HOUR), START + 3 * HOUR, id="the later"
        ),
        pytest.param(WRONG["hold"], None, id="a hold ends when a person says so"),
        pytest.param(replace(WRONG["freeze"], hold=WRONG["hold"].hold), None, id="a hold and a freeze"),
        pytest.param(WRONG["rejected"], None, id="what is refused does not wait"),
    ],
)
def test_a_wait_ends_when_nothing_waits_any_more(evidence: Evidence, until: datetime | None) -> None:
    assert admit(evidence, planned=True).until == until


# ---- overrides ----


def override(gate: Passable, *, identity: str = SAME, until: datetime = START + HOUR) -> tuple[Override, ...]:
    return (Override(gate, identity, "the fix cannot wait", until),)


PASSABLE: tuple[Passable, ...] = ("hold", "freeze", "soak", "vulnerabilities")


@pytest.mark.parametrize("gate", PASSABLE)
def test_an_override_lets_one_release_pass_one_gate_and_is_told(gate: Passable) -> None:
    (no,) = admit(replace(WRONG[gate], overrides=override(gate)), planned=True).nos

    assert (no.answer, no.finding.rule) == (admission.Answer.NOTE, gate)
    assert "overridden until 2026-11-21 13:00 UTC: the fix cannot wait" in no.finding.message


@pytest.mark.parametrize("gate", [gate for gate in WRONG if gate not in PASSABLE])
def test_no_override_opens_a_gate_that_is_not_passable(gate: str) -> None:
    plain = answers(WRONG[gate])
    forged = Override(gate, SAME, "please", START + HOUR)  # type: ignore[arg-type]  # what no reader lets in

    assert answers(replace(WRONG[gate], overrides=(forged,))) == plain


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param(override("hold", identity=OTHER), id="another release"),
        pytest.param(override("hold", until=START), id="its end is now"),
        pytest.param(override("hold", until=START - HOUR), id="expired"),
        pytest.param(override("freeze"), id="another gate"),
        pytest.param((), id="none"),
    ],
)
def test_an_override_counts_for_its_release_its_gate_and_until_its_end_only(overrides: tuple[Override, ...]) -> None:
    assert answers(replace(WRONG["hold"], overrides=overrides)) == {"hold": "waiting"}


# ---- rejections ----


@pytest.mark.parametrize(
    ("rejection", "refused"),
    [
        pytest.param(Rejection(A, "", "bad", ""), "this digest", id="this digest"),
        pytest.param(Rejection(B, COMMIT, "bad", ""), "a build of commit", id="another build of the same commit"),
        pytest.param(Rejection(B, ELSE, "bad", ""), "", id="another build of another commit"),
        pytest.param(Rejection(B, "", "bad", ""), "", id="another build of nobody knows what"),
    ],
)
def test_a_digest_and_every_build_of_its_source_are_refused(rejection: Rejection, refused: str) -> None:
    found = admit(replace(FINE, rejections={"releases/rejected/staging-web-x.yaml": rejection}), planned=True).refused

    assert [refused in finding.message for finding in found] == ([True] if refused else [])


def test_two_builds_without_a_known_source_are_not_of_the_same_source() -> None:
    assert not admission.is_rejected(A, "", Rejection(B, "", "bad", ""))


# ---- proven before ----


@pytest.mark.parametrize(
    ("known", "message"),
    [
        pytest.param((), "was never live in staging", id="never"),
        pytest.param((Stay(START - HOUR / 2),), "the soak is 1:00:00", id="not long enough yet"),
        pytest.param((Stay(START - 3 * HOUR, START - 2.5 * HOUR),), "and is not any more", id="too short, and gone"),
        pytest.param(
            (Stay(START - 3 * HOUR, START - 2.5 * HOUR), Stay(START - HOUR / 2)), "the soak is", id="two halves"
        ),
        pytest.param((Stay(START - HOUR),), "", id="just long enough"),
        pytest.param((Stay(START - 9 * HOUR, START - 8 * HOUR),), "", id="long ago, long enough"),
    ],
)
def test_a_digest_has_to_have_been_live_before_for_the_whole_soak_at_any_time(
    known: tuple[Stay, ...], message: str
) -> None:
    found = [no.finding.message for no in admit(replace(FINE, stays={"web": known}), planned=True).waiting]

    assert [message in each for each in found] == ([True] if message else [])


def test_each_service_is_proven_for_itself() -> None:
    two = replace(
        FINE, changed={"web": PIN, "api": replace(PIN, digest=B)}, images={"web": GOOD, "api": GOOD},
        stays={"web": (Stay(START - HOUR / 2),), "api": (Stay(START - HOUR / 4),)},
    )  # fmt: skip
    found = admit(two, planned=True)

    assert [no.finding.where for no in found.waiting] == [
        "releases/production.yaml services.web.digest", "releases/production.yaml services.api.digest",
    ]  # fmt: skip
    assert found.until == START + HOUR * 3 / 4
    long = admit(replace(two, stays={"web": (Stay(START - HOUR),), "api": ()}), planned=True)
    assert ["api" in no.finding.message for no in long.waiting] == [True]


def test_the_first_environment_asks_for_no_proof_from_elsewhere() -> None:
    assert answers(replace(WRONG["soak"], previous="")) == {}


def test_without_a_soak_it_still_has_to_have_been_live() -> None:
    assert answers(replace(FINE, soak=timedelta(), stays={})) == {"soak": "waiting"}
    assert answers(replace(FINE, soak=timedelta(), stays={"web": (Stay(START),)})) == {}


# ---- images ----


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        pytest.param({}, {"provenance": "refused", "vulnerabilities": "refused"}, id="nobody knows the image"),
        pytest.param({"web": replace(GOOD, revision="")}, {"provenance": "refused"}, id="it does not say its source"),
        *(
            pytest.param({"web": replace(GOOD, scan=Scan(status))}, {"vulnerabilities": "refused"}, id=f"scan {status}")
            for status in ("pending", "missing", "unsupported", "unknown")
        ),
    ],
)
def test_what_nobody_could_tell_of_an_image_is_no_yes(facts: Mapping[str, ImageFacts], said: dict[str, str]) -> None:
    assert answers(replace(FINE, images=facts)) == said


def test_an_optional_gate_that_the_pipeline_does_not_switch_on_says_nothing() -> None:
    assert answers(replace(FINE, images={}, demanded=())) == {}
    assert answers(replace(FINE, images={}, demanded=("provenance",))) == {"provenance": "refused"}


# ---- stays ----

WEB_A, WEB_B = {"web": A}, {"web": B}


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param([], [], id="nothing ever ran"),
        pytest.param([(Phase.LIVE, 0, WEB_A)], [(0, None)], id="it still runs"),
        pytest.param([(Phase.LIVE, 0, WEB_B)], [], id="another ran"),
        pytest.param([(Phase.LIVE, 0, WEB_A), (Phase.LIVE, 3, WEB_B)], [(0, 3)], id="it ends where another began"),
        pytest.param([(Phase.LIVE, 0, WEB_A), (Phase.FAILED, 3, WEB_B)], [(0, 3)], id="also if the other one failed"),
        pytest.param([(Phase.LIVE, 0, WEB_A), (Phase.ERRORED, 3, WEB_B)], [(0, 3)], id="or nobody knows"),
        pytest.param([(Phase.LIVE, 0, WEB_A), (Phase.APPLYING, 3, WEB_B)], [(0, 3)], id="or is under way"),
        pytest.param([(Phase.LIVE, 0, WEB_A), (Phase.REFUSED, 3, WEB_B)], [(0, None)], id="a refused one is none"),
        pytest.param([(Phase.FAILED, 0, WEB_A)], [], id="it never got live"),
        pytest.param([(Phase.ERRORED, 0, WEB_A), (Phase.LIVE, 1, WEB_A)], [(1, None)], id="live at the second attempt"),
        pytest.param(
            [(Phase.LIVE, 0, WEB_A), (Phase.LIVE, 3, WEB_B), (Phase.LIVE, 5, WEB_A)], [(0, 3), (5, None)],
            id="released again, it has two stays",
        ),
        pytest.param(
            [(Phase.LIVE, 0, WEB_A), (Phase.LIVE, 3, WEB_B), (Phase.REFUSED, 5, WEB_A)], [(0, 3)],
            id="released again and refused, one",
        ),
        pytest.param([(Phase.LIVE, 0, WEB_A), (Phase.LIVE, 2, WEB_A)], [(0, None)], id="a restart, or new settings"),
        pytest.param(
            [(Phase.LIVE, 0, WEB_A), (Phase.ERRORED, 2, WEB_A)], [(0, None)], id="a restart that ended in an error"
        ),
        pytest.param(
            [(Phase.LIVE, 0, WEB_A | {"api": A}), (Phase.LIVE, 2, WEB_A | {"api": B})], [(0, None)],
            id="another service changed",
        ),
        pytest.param([(Phase.LIVE, 0, WEB_A), (Phase.LIVE, 2, {"api": B})], [(0, None)], id="it is not told of"),
    ],
)  # fmt: skip
def test_a_stay_lasts_from_the_proof_until_another_digest_begins(
    history: list[tuple[Phase, int, Mapping[str, str]]], expected: list[tuple[int, int | None]]
) -> None:
    newest_first = [deployment(phase, at * HOUR, pins=pins) for phase, at, pins in reversed(history)]

    assert stays(newest_first, "web", A) == tuple(
        Stay(START + since * HOUR + M, None if until is None else START + until * HOUR) for since, until in expected
    )


def test_a_stay_is_as_long_as_it_was_or_has_been() -> None:
    assert Stay(START, START + HOUR).length(START + 9 * HOUR) == HOUR
    assert Stay(START).length(START + 9 * HOUR) == 9 * HOUR


def test_a_rejection_of_my_web_says_nothing_about_web_built_from_the_same_commit() -> None:
    path = "releases/rejected/staging-my-web-aaaaaaaaaaaa.yaml"

    assert not concerns(path, "web", ("my-web", "web"))
    assert concerns(path, "my-web", ("my-web", "web"))
    assert concerns("releases/rejected/staging-web-aaaaaaaaaaaa.yaml", "web", ("my-web", "web"))
