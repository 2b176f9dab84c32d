"""The oracle sees each way in which the claim can be broken: it is shown one at a time, beside a story that is well."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from releasectl import record
from releasectl.record import Deployment, Ended, Holder, Moment, Phase
from releasectl.release import Pin
from tests.chaos import oracle, proxy
from tests.chaos.picture import ROLE, SERVICE, Growth, Picture, Serving
from tests.chaos.play import Expected, Pass, Played
from tests.chaos.story import Change, Full, Http, Jump, Point, Push, Story
from tests.chaos.story import Moment as When

OLD, NEW = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ARN = "arn:aws:apprunner:eu-west-1:000000000000:service/web/1"
REST = Pass(0, "rest", "it runs what main says")
THROTTLED = Http("throttled", "any", changes_only=False, skip=0, hits=9, seconds=1.0)


def deployment(number: int, digest: str, *phases: Phase) -> Deployment:
    at = NOW + timedelta(minutes=number)
    return Deployment(
        id=record.new_id(at),
        environment="staging",
        identity=digest[-8:],
        commit="c" * 40,
        program="p" * 40,
        settings="s",
        services={"web": Pin(digest, "", "", "")},
        by="bot",
        reason="a bump",
        holder=Holder("host", "boot", 7),
        phases=tuple(Moment(phase, at + timedelta(seconds=second)) for second, phase in enumerate(phases)),
    )


def recorded(*deployments: Deployment) -> dict[str, bytes]:
    return {each.path: record.first_line(each) for each in deployments}


BEFORE = deployment(0, OLD, Phase.APPLYING, Phase.VERIFYING, Phase.LIVE)
CUT = replace(deployment(1, NEW, Phase.APPLYING, Phase.ERRORED), ended=Ended.BY_DEATH)
LIVE = deployment(2, NEW, Phase.APPLYING, Phase.VERIFYING, Phase.LIVE)


def serving(digest: str, *operations: str) -> Serving:
    told = tuple((f"{kind}-{number}", kind) for number, kind in enumerate(operations))
    return Serving("web", "RUNNING", digest, told, digest)


def picture(digest: str, records: dict[str, bytes], *operations: str) -> Picture:
    things = frozenset({(SERVICE, ARN), (ROLE, "web-access")})
    return Picture(
        "m" * 40, digest, "p" * 40, frozenset(), "t" * 40, records, (serving(digest, *operations),),
        things, things, "", (), (), (),
    )  # fmt: skip


def asked(digest: str, operation: str = "UpdateService") -> proxy.Change:
    variables = {"RELEASE_DIGEST": digest}
    body = {"SourceConfiguration": {"ImageRepository": {"ImageConfiguration": {"Variables": variables}}}}
    return proxy.Change(operation, json.dumps(body).encode())


def growth(*deployments: Deployment) -> tuple[Growth, ...]:
    return tuple(Growth(each.path, "A", b"", record.first_line(each)) for each in deployments)


WELL = Played(
    story=Story(1, Change.RELEASE),
    expected=Expected(NEW, "p" * 40),
    before=picture(OLD, recorded(BEFORE), "CREATE_SERVICE"),
    after=picture(NEW, recorded(BEFORE, CUT, LIVE), "CREATE_SERVICE", "UPDATE_SERVICE", "UPDATE_SERVICE"),
    growth=growth(CUT, LIVE),
    continues=True,
    asked=(asked(NEW), asked(NEW)),
    struck=None,
    weather=(),
    missed=(),
    helpless=(),
    passes=(REST,),
    healed=None,
    said=f"staging: rest: it runs what main says, proven by deployment {LIVE.id}",
    hung=(),
    began_up=(CUT.id, LIVE.id),
    seconds=9.0,
)


def after(**changed: object) -> Played:
    return replace(WELL, after=replace(WELL.after, **changed))  # type: ignore[arg-type] # fields by name


def test_a_story_that_is_well_is_live() -> None:
    assert oracle.judge(WELL) == oracle.Verdict("live", ())


OPEN = deployment(3, NEW, Phase.APPLYING)
OPEN_TOO = deployment(4, NEW, Phase.VERIFYING)
LOST = deployment(5, NEW, Phase.LIVE)
BROKEN = {
    "another digest is pinned": (after(digest=OLD), "main pins"),
    "another program is pinned": (after(program="q" * 40), "main pins program"),
    "another digest runs": (after(services=(serving(OLD, "1", "2"),)), "App Runner does not run"),
    "the service is down": (
        after(services=(replace(WELL.after.services[0], answers="no answer"),)),
        "App Runner does not run",
    ),
    "a second service runs": (after(services=WELL.after.services * 2), "App Runner does not run"),
    "the good digest is rejected": (after(rejected=frozenset({NEW})), "is good and rejected"),
    "the bad digest is not rejected": (replace(WELL, expected=Expected(NEW, "p" * 40, OLD)), "is not rejected"),
    "it goes on for ever": (replace(WELL, passes=(Pass(4, "back-off", "later"),)), "does not rest"),
    "it hangs": (replace(WELL, hung=("pass-1 did not end",)), "hangs"),
    "a record is left open": (after(records=recorded(BEFORE, CUT, LIVE, OPEN)), "was left applying"),
    "a record is damaged": (after(records=recorded(BEFORE, CUT, LIVE) | {"staging/x.jsonl": b"{"}), "x.jsonl"),
    "a record is lost": (after(records=recorded(BEFORE, CUT)), "is not on record"),
    "an old record is changed": (
        after(records=recorded(BEFORE, CUT, LIVE) | {BEFORE.path: record.first_line(replace(BEFORE, by="x"))}),
        "lost what it had",
    ),
    "the branch was rewritten": (replace(WELL, continues=False), "was rewritten"),
    "a commit took a line away": (
        replace(WELL, growth=(*WELL.growth, Growth(LIVE.path, "M", record.first_line(LIVE), b"{}\n"))),
        "did not only grow",
    ),
    "a commit deleted a record": (
        replace(WELL, growth=(*WELL.growth, Growth("gone", "D", b"x", record.first_line(LIVE)))),
        "did not only grow",
    ),
    "a deployment was named and never recorded": (replace(WELL, said=f"deployment {LOST.id}"), "is not on record"),
    "an engine applied what was never recorded": (replace(WELL, began_up=(LOST.id,)), "is not on record"),
    "two deployments are open at once": (replace(WELL, growth=growth(OPEN, OPEN_TOO)), "open at once"),
    "a lock is left": (after(locks=("1.json",)), "a lock is left"),
    "the state cannot be read": (after(unreadable="cut short"), "cannot be read"),
    "an operation is pending": (after(pending=("urn",)), "left pending"),
    "a process is left": (after(processes=("7 pulumi up",)), "a process is left"),
    "an object is not in the state": (after(state=WELL.after.state - {(ROLE, "web-access")}), "not in the state"),
    "an object is not in the cloud": (after(cloud=WELL.after.cloud - {(ROLE, "web-access")}), "not in the cloud"),
    "a third update for two attempts": (replace(WELL, asked=(asked(NEW),) * 3), "3 updates"),
    "an update nobody asked for": (replace(WELL, asked=(asked(NEW),)), "App Runner tells"),
}


@pytest.mark.parametrize(("played", "said"), BROKEN.values(), ids=BROKEN)
def test_what_breaks_the_claim_is_told(played: Played, said: str) -> None:
    verdict = oracle.judge(played)

    assert verdict.outcome == "broken"
    assert any(said in problem for problem in verdict.problems), verdict.problems


def test_after_a_recorded_result_no_further_attempt_may_update() -> None:
    again = deployment(3, NEW, Phase.APPLYING, Phase.VERIFYING, Phase.LIVE)
    records = recorded(BEFORE, LIVE, again)
    played = replace(after(records=records), growth=growth(LIVE, again), began_up=())

    assert any("2 updates" in problem for problem in oracle.judge(played).problems)


def test_who_lost_the_race_for_the_record_has_begun_nothing() -> None:
    said = f"staging: recording deployment {LOST.id}: deployment {LIVE.id} of staging came first; looking again"

    assert oracle.judge(replace(WELL, said=said)).outcome == "live"


def test_the_path_of_a_work_folder_claims_no_deployment() -> None:
    said = f"Read /tmp/clone/.git/releasectl/staging/{LOST.id}/worker.log"

    assert oracle.judge(replace(WELL, said=said)).outcome == "live"


STALL = Pass(3, "stall", "3 attempts ended in an error, the last with: Rate exceeded")


def test_a_stall_that_names_its_weather_and_heals_is_allowed() -> None:
    played = replace(WELL, story=replace(WELL.story, weather=THROTTLED), passes=(STALL,), healed=REST)

    assert oracle.judge(played) == oracle.Verdict("stalled", ())


def test_within_an_outage_an_error_has_to_name_it() -> None:
    outage = replace(WELL.story, weather=replace(THROTTLED, lasting=True))
    named, other = (Pass(3, "AwsThrottled", reason) for reason in ("Rate exceeded", "something broke"))

    assert oracle.judge(replace(WELL, story=outage, helpless=(named,))).outcome == "live"
    assert oracle.judge(replace(WELL, story=outage, helpless=(other,))).outcome == "broken"


@pytest.mark.parametrize(
    "played",
    [
        pytest.param(replace(WELL, passes=(STALL,), healed=REST), id="no weather"),
        pytest.param(
            replace(WELL, story=replace(WELL.story, weather=Push("lost", 0, 1)), passes=(STALL,), healed=REST),
            id="other weather",
        ),
        pytest.param(
            replace(WELL, story=replace(WELL.story, weather=THROTTLED), passes=(STALL,), healed=STALL),
            id="does not heal",
        ),
    ],
)
def test_any_other_stall_breaks_the_claim(played: Played) -> None:
    assert oracle.judge(played).outcome == "broken"


@pytest.mark.parametrize(
    ("weather", "reason", "named"),
    [
        (THROTTLED, "changing Service web: ThrottlingException", True),
        (THROTTLED, "Could not connect to the endpoint", False),
        (Full("state", 0, When(Point.START, 0)), "write x: no space left on device", True),
        (Push("refused", 0, 1), "the campaign refuses this push", True),
        (Jump(90.0, 0.0), "anything", False),
        (None, "anything", False),
    ],
)
def test_a_cause_is_named_by_its_own_words(
    weather: Http | Full | Push | Jump | None, reason: str, *, named: bool
) -> None:
    assert oracle.is_named(weather, reason) is named
