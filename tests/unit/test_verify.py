"""The proof of a release, row by row: what was seen, and the verdict with its words."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from releasectl.outputs import Service
from releasectl.verify import Answer, Health, Observation, Operation, Pinned, prove, worst
from tests.twins import START, digest

OLD, NEW, CHILD, HAND = digest("old"), digest("new"), digest("child"), digest("by hand")
COMMIT, OTHER_COMMIT = "a" * 40, "b" * 40
PINNED = Pinned(NEW, COMMIT, (NEW, CHILD))
DECLARED = Service(
    runtime="app-runner", repository="r/web", digest=NEW, image=f"r/web@{NEW}", service="arn:web",
    url="https://web.example", health_path="/healthz", version_path="/version", alarms=("web-errors", "web-latency"),
)  # fmt: skip
GOOD, BAD, SILENT = Answer(200), Answer(500), Answer(None, "connection timed out")
BEFORE = Observation(
    START, status="RUNNING", serves=True, digest=OLD, answers=(GOOD,),
    operation=Operation("1", "CREATE_SERVICE", "SUCCEEDED"), alarms={"web-errors": "OK", "web-latency": "OK"},
)  # fmt: skip
WELL = Observation(
    START, status="RUNNING", serves=True, digest=NEW, answers=(GOOD,) * 5,
    operation=Operation("2", "UPDATE_SERVICE", "SUCCEEDED"), version={"digest": NEW, "commit": COMMIT},
    alarms={"web-errors": "OK", "web-latency": "OK"}, log=("started",),
)  # fmt: skip
ROLLED_BACK: dict[str, Any] = {
    "digest": OLD,
    "operation": Operation("2", "UPDATE_SERVICE", "ROLLBACK_SUCCEEDED"),
    "version": {"digest": OLD, "commit": OTHER_COMMIT},
}


def operation(status: str) -> dict[str, Any]:
    return {"operation": Operation("2", "UPDATE_SERVICE", status)}


def test_a_service_that_agrees_everywhere_is_healthy() -> None:
    proof = prove("web", PINNED, DECLARED, before=BEFORE, after=WELL)

    assert (proof.service, proof.health, proof.serving, proof.findings) == ("web", Health.HEALTHY, NEW, ())


@pytest.mark.parametrize(
    "after",
    [
        pytest.param({"digest": CHILD}, id="the runtime names a child of the pinned index"),
        pytest.param({"version": {"digest": CHILD, "commit": COMMIT}}, id="so does the version endpoint"),
        pytest.param({"version": None}, id="no version endpoint"),
        pytest.param({"version": {}}, id="a version endpoint that says nothing"),
        pytest.param({"version": {"digest": "", "commit": ""}}, id="a version endpoint with empty texts"),
        pytest.param({"operation": None}, id="no operation at all"),
        pytest.param({"operation": Operation("2", "DEPLOYMENT", "SUCCESSFUL")}, id="ECS says it in its own word"),
        pytest.param({"answers": (BAD, *[GOOD] * 9)}, id="one bad answer of ten, while instances were switched"),
        pytest.param({"answers": (SILENT, *[GOOD] * 9)}, id="one lost answer of ten"),
        pytest.param({"answers": (Answer(302),)}, id="a redirect"),
        pytest.param({"alarms": {"web-errors": "INSUFFICIENT_DATA"}}, id="an alarm without data"),
        pytest.param({"alarms": {"somebody-elses": "ALARM"}}, id="an alarm of somebody else rings"),
    ],
)
def test_what_does_not_speak_against_a_release(after: Mapping[str, Any]) -> None:
    proof = prove("web", PINNED, DECLARED, before=BEFORE, after=replace(WELL, **after))

    assert (proof.health, proof.findings) == (Health.HEALTHY, ())


@pytest.mark.parametrize(
    ("after", "words"),
    [
        pytest.param(ROLLED_BACK, f"never got healthy; {OLD} still serves", id="silent rollback"),
        pytest.param(operation("ROLLBACK_FAILED"), "UPDATE_SERVICE ended ROLLBACK_FAILED", id="rollback failed too"),
        pytest.param(operation("ROLLBACK_IN_PROGRESS"), "UPDATE_SERVICE is ROLLBACK_IN_PROGRESS", id="it goes back"),
        pytest.param(
            ROLLED_BACK | {"operation": Operation("2", "DEPLOYMENT", "ROLLBACK_SUCCESSFUL", "alarms that rang: x")},
            f"DEPLOYMENT ended ROLLBACK_SUCCESSFUL: {NEW} did not stay: alarms that rang: x; {OLD} still serves",
            id="ECS says why",
        ),
        pytest.param(operation("STOPPED"), f"ended STOPPED: {NEW} never got healthy", id="ECS stopped it"),
        pytest.param(
            {
                "status": "CREATE_FAILED",
                "serves": False,
                "digest": "",
                "operation": Operation("1", "CREATE_SERVICE", "FAILED"),
            },
            f"CREATE_SERVICE ended FAILED: {NEW} never got healthy",
            id="first release bad",
        ),
        pytest.param(
            {"answers": (GOOD, GOOD, BAD)}, "1 of 3 health checks were bad, the last with status 500", id="bad"
        ),
        pytest.param({"answers": (*[GOOD] * 20, BAD)}, "1 of 21 health checks", id="few were bad, but the last was"),
        pytest.param({"answers": (BAD, BAD, *[GOOD] * 8)}, "2 of 10", id="more bad answers than a switch costs"),
        pytest.param({"answers": (GOOD, SILENT)}, "the last connection timed out", id="it stopped answering"),
        pytest.param({"alarms": {"web-latency": "ALARM"}}, "went to ALARM after this release", id="newly ringing"),
    ],
)
def test_what_this_release_broke_is_degraded(after: Mapping[str, Any], words: str) -> None:
    before = None if after.get("status") == "CREATE_FAILED" else BEFORE
    proof = prove("web", PINNED, DECLARED, before=before, after=replace(WELL, **after))

    assert proof.health is Health.DEGRADED
    assert words in " ".join(finding.message for finding in proof.findings)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        pytest.param({}, {"answers": (SILENT,)}, "no answer: connection timed out", id="unreachable"),
        pytest.param({}, {"answers": ()}, "no answer: nothing was asked", id="never probed"),
        pytest.param({}, {"unasked": ("describing arn:web: denied",)}, "denied", id="AWS could not be asked"),
        pytest.param({}, operation("IN_PROGRESS"), "is still IN_PROGRESS", id="operation in progress"),
        pytest.param({}, operation("PENDING"), "is still PENDING", id="operation pending"),
        pytest.param({}, operation("STOP_REQUESTED"), "is still STOP_REQUESTED", id="somebody stops it"),
        pytest.param({}, operation("PAUSED_BY_MOON"), "PAUSED_BY_MOON, a word that", id="a word nobody here knows"),
        pytest.param({"answers": (BAD,)}, {"answers": (BAD,)}, "it was so before this release", id="red before"),
        pytest.param({}, {"digest": HAND}, f"the runtime says {HAND}", id="another image, by hand"),
        pytest.param({}, {"digest": ""}, "the runtime names no image", id="no image"),
        pytest.param({}, {"version": {"commit": OTHER_COMMIT}}, f"says commit {OTHER_COMMIT}", id="wrong commit"),
        pytest.param({}, {"version": {"digest": HAND}}, f"/version says {HAND}", id="wrong digest there"),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_unknown_and_no_reason_to_roll_back(
    before: Mapping[str, Any], after: Mapping[str, Any], words: str
) -> None:
    proof = prove("web", PINNED, DECLARED, before=replace(BEFORE, **before), after=replace(WELL, **after))

    assert proof.health is Health.UNKNOWN
    assert words in " ".join(finding.message for finding in proof.findings)


def test_the_stacks_output_shows_a_silent_rollback_even_when_aws_cannot_be_asked() -> None:
    silent = replace(DECLARED, image=f"r/web@{OLD}")
    mute = Observation(START, answers=(GOOD,), unasked=("describing arn:web: no answer",))
    proof = prove("web", PINNED, silent, before=BEFORE, after=mute)

    assert proof.health is Health.UNKNOWN
    assert f"the stack's output says {OLD}" in proof.findings[1].message


def test_an_alarm_that_rang_before_does_not_judge() -> None:
    before = replace(BEFORE, alarms={"web-errors": "ALARM"})
    after = replace(WELL, alarms={"web-errors": "ALARM"})

    assert prove("web", PINNED, DECLARED, before=before, after=after).health is Health.HEALTHY


def test_the_operation_of_an_earlier_release_does_not_judge_this_one() -> None:
    failed = Operation("1", "UPDATE_SERVICE", "ROLLBACK_SUCCEEDED")
    proof = prove(
        "web", PINNED, DECLARED, before=replace(BEFORE, operation=failed), after=replace(WELL, operation=failed)
    )

    assert proof.health is Health.HEALTHY


def test_a_commit_that_is_not_pinned_is_not_compared() -> None:
    assert prove("web", replace(PINNED, commit=""), DECLARED, before=BEFORE, after=WELL).health is Health.HEALTHY


def test_a_first_release_has_no_baseline_and_is_judged_by_itself() -> None:
    assert prove("web", PINNED, DECLARED, before=None, after=WELL).health is Health.HEALTHY
    bad = prove("web", PINNED, DECLARED, before=None, after=replace(WELL, answers=(BAD,)))

    assert bad.health is Health.DEGRADED


def test_every_finding_is_told_and_the_worst_health_wins() -> None:
    after = replace(WELL, **ROLLED_BACK, answers=(BAD,), alarms={"web-errors": "ALARM"}, unasked=("no log",))
    proof = prove("web", PINNED, DECLARED, before=BEFORE, after=after)

    assert proof.health is Health.DEGRADED
    assert [finding.rule for finding in proof.findings] == ["proof", "proof", "health", "alarm"]


def test_a_proof_carries_the_instances_last_words() -> None:
    assert prove("web", PINNED, DECLARED, before=BEFORE, after=WELL).log == ("started",)


PRIVATE = replace(DECLARED, private=True)
UNREACHED: Mapping[str, Any] = {"answers": (), "version": None, "private": True}


@pytest.mark.parametrize(
    ("before", "serves", "health", "words"),
    [
        pytest.param(True, True, Health.HEALTHY, "", id="its runtime says that it is well"),
        pytest.param(True, False, Health.DEGRADED, "its runtime says ACTIVE, 0 of 1", id="its runtime says it is not"),
        pytest.param(True, None, Health.UNKNOWN, "does not say how it is", id="its runtime says nothing"),
        pytest.param(False, False, Health.UNKNOWN, "it was so before this release", id="it was not well before"),
        pytest.param(None, False, Health.DEGRADED, "its runtime says ACTIVE, 0 of 1", id="nobody knows how it was"),
    ],
)
def test_a_private_service_is_as_well_as_its_runtime_says_and_never_for_want_of_an_address(
    before: bool | None, serves: bool | None, health: Health, words: str
) -> None:
    was = replace(BEFORE, **UNREACHED, serves=before)
    after = replace(WELL, **UNREACHED, serves=serves, status="ACTIVE, 0 of 1 tasks run")
    proof = prove("web", PINNED, PRIVATE, before=was, after=after)

    assert proof.health is health
    assert words in " ".join(finding.message for finding in proof.findings)
    assert bool(proof.findings) == (health is not Health.HEALTHY)


def test_unknown_is_worse_than_healthy_and_better_than_degraded() -> None:
    assert worst([]) is Health.HEALTHY
    assert worst([Health.HEALTHY, Health.UNKNOWN]) is Health.UNKNOWN
    assert worst([Health.DEGRADED, Health.UNKNOWN]) is Health.DEGRADED
