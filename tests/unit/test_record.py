"""Lines that are only ever added, and the deployment they add up to."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from releasectl import record
from releasectl.errors import Finding
from releasectl.record import Deployment, Moment, Phase, UnreadableRecord
from releasectl.release import Pin
from releasectl.verify import Answer, Observation, Operation
from tests.twins import ELSEWHERE, START, digest

SEEN = Observation(
    START, status="RUNNING", digest=digest("A"), operation=Operation("1", "CREATE_SERVICE", "SUCCEEDED"),
    answers=(Answer(200), Answer(None, "timed out")), version={"commit": "c"}, alarms={"errors": "OK"},
)  # fmt: skip
OPENED = Deployment(
    id="20261121T120000Z-000001", environment="staging", identity="1" * 64, commit="c" * 40, program="b" * 40,
    settings="2" * 64, services={"web": Pin(digest("A"), "1.4.0 \N{SNOWMAN}", "d" * 40, "")}, by="Bo",
    reason="Pin A\u2028 \"quoted\"", holder=ELSEWHERE, phases=(Moment(Phase.APPLYING, START, "1 update"),), attempt=2,
    watch=30.0, plan={"identity": "3", "counts": {"update": 1}}, before={"web": SEEN}, outputs={"topic": "arn:t"},
)  # fmt: skip
LATER = START + timedelta(minutes=3)


def test_the_first_line_alone_is_the_deployment_that_was_intended() -> None:
    raw = record.first_line(OPENED)

    assert raw.count(b"\n") == 1
    assert raw.endswith(b"\n")
    assert record.read(OPENED.path, raw) == OPENED


def test_lines_add_up() -> None:
    finding = Finding("proof", "arn", "rolled back", "Read the log.")
    raw = (
        record.first_line(OPENED)
        + record.next_line(Moment(Phase.VERIFYING, LATER, "the engine is done"), outputs={"topic": "arn:new"})
        + record.next_line(
            Moment(Phase.FAILED, LATER, "rolled back"), findings=(finding,), serving={"web": digest("old")},
            log={"web": ("boom",)},
        )
    )  # fmt: skip
    whole = record.read(OPENED.path, raw)

    assert [moment.phase for moment in whole.phases] == [Phase.APPLYING, Phase.VERIFYING, Phase.FAILED]
    assert (whole.phase, whole.message, whole.started, whole.since) == (Phase.FAILED, "rolled back", START, LATER)
    assert (whole.outputs, whole.findings) == ({"topic": "arn:new"}, (finding,))
    assert (whole.serving, whole.log) == ({"web": digest("old")}, {"web": ("boom",)})
    assert replace(whole, phases=OPENED.phases, outputs=OPENED.outputs, findings=(), serving={}, log={}) == OPENED


def test_as_data_is_json_with_the_schema() -> None:
    data = json.loads(json.dumps(record.as_data(OPENED)))

    assert data["schema"] == record.SCHEMA
    assert data["before"]["web"]["answers"][1] == {"status": None, "cause": "timed out"}


def opened(**parts: object) -> bytes:
    """The first line with other parts."""
    return json.dumps(record.as_data(OPENED) | parts).encode()


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\n\n", id="empty lines"),
        pytest.param(record.first_line(OPENED)[:-20], id="half a line"),
        pytest.param(record.first_line(OPENED) + b"<<<<<<< HEAD\n", id="a merge conflict"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
        pytest.param(b"[]\n", id="a list"),
        pytest.param(b"null\n", id="null"),
        pytest.param(b"7\n", id="a number"),
        pytest.param(b"[" * 200_000, id="brackets without an end"),
        pytest.param(record.next_line(OPENED.phases[0]), id="no first line"),
        pytest.param(opened(schema=99), id="a schema of the future"),
        pytest.param(opened(schema=[1]), id="a schema that is no number"),
        pytest.param(opened(phases=None), id="no list of phases"),
        pytest.param(opened(phases=[]), id="no phase at all"),
        pytest.param(opened(phases=[{"phase": "asleep", "at": "2026-11-21T12:00:00Z"}]), id="an unknown phase"),
        pytest.param(opened(phases=[{"phase": "live", "at": "2026-11-21T12:00:00"}]), id="a time without its zone"),
        pytest.param(opened(services={"web": {"digest": "latest"}}), id="half a pin"),
        pytest.param(opened(id="yesterday"), id="an id that is none"),
    ],
)
def test_what_we_did_not_write_is_named_with_file_and_remedy(raw: bytes) -> None:
    with pytest.raises(UnreadableRecord) as caught:
        record.read("staging/2026/11/x.jsonl", raw)

    assert caught.value.message.startswith("reading staging/2026/11/x.jsonl on branch deployments: ")
    assert caught.value.remedy.endswith("git log origin/deployments -- staging/2026/11/x.jsonl")


def test_a_field_of_a_later_version_does_not_hurt() -> None:
    assert record.read("x", opened(mood="good")) == OPENED


def test_ids_begin_with_the_time_and_differ() -> None:
    one, other = record.new_id(START), record.new_id(START)

    assert one.startswith("20261121T120000Z-")
    assert one != other


@pytest.mark.parametrize(
    ("now", "last"),
    [
        pytest.param(START, "20261121T115959Z-ffffff", id="a second later"),
        pytest.param(START, "20261121T120000Z-ffffff", id="the same second"),
        pytest.param(START, "20261121T130000Z-ffffff", id="this clock is an hour behind"),
        pytest.param(datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), "20261201T000000Z-ffffff", id="a month behind"),
        pytest.param(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), "20270101T000000Z-ffffff", id="a year behind"),
    ],
)
def test_a_new_deployment_is_the_newest_even_when_a_clock_is_behind(now: datetime, last: str) -> None:
    then = datetime.strptime(last[:16], "%Y%m%dT%H%M%S%z")
    before = replace(OPENED, id=last, phases=(Moment(Phase.APPLYING, then),))
    fresh = replace(OPENED, id=record.new_id(now, last), phases=(Moment(Phase.APPLYING, now),))

    assert fresh.id > last
    assert record.newest([fresh.path, before.path], "staging", 1) == (fresh.path,)


def test_newest_takes_only_records_of_the_environment() -> None:
    paths = ["staging/2026/11/a.jsonl", "staging/2026/11/b.jsonl", "staging/README.md", "staging-eu/2026/11/z.jsonl"]

    assert record.newest(paths, "staging", 5) == ("staging/2026/11/b.jsonl", "staging/2026/11/a.jsonl")
    assert record.newest(paths, "staging", 1) == ("staging/2026/11/b.jsonl",)
    assert record.newest(paths, "production", 1) == ()


@pytest.mark.parametrize("phase", list(Phase))
def test_only_applying_and_verifying_are_under_way(phase: Phase) -> None:
    assert phase.is_over == (phase not in (Phase.APPLYING, Phase.VERIFYING))
