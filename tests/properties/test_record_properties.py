"""Whatever the facts: lines say them again. Whatever the bytes: a deployment, or one error that names the file."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from releasectl import record
from releasectl.errors import Finding
from releasectl.record import Deployment, Holder, Moment, Phase, UnreadableRecord
from releasectl.release import Pin
from releasectl.verify import Answer, Observation, Operation

texts = st.text(st.characters(codec="utf-8"), max_size=30)
times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - aware by UTC
maps = st.dictionaries(texts, texts, max_size=3)
seconds = st.floats(0, 1e6, allow_nan=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(texts, children, max_size=3),
    max_leaves=8,
)
moments = st.builds(Moment, st.sampled_from(Phase), times, texts)
findings = st.lists(st.builds(Finding, texts, texts, texts, texts), max_size=3).map(tuple)
lines = st.lists(texts, max_size=3).map(tuple)
observations = st.builds(
    Observation, times, texts, texts, st.none() | st.builds(Operation, texts, texts, texts),
    st.lists(st.builds(Answer, st.none() | st.integers(100, 599), texts), max_size=3).map(tuple),
    st.none() | maps, maps, lines, lines,
)  # fmt: skip
ids = st.builds(record.new_id, times)
# What a release file may hold: a record takes its pins from there alone.
digests = st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:".__add__)
pins = st.builds(Pin, st.just("") | digests, st.just("1.4.0"), st.just("c" * 40), st.just("2026-11-21T12:00:00Z"))
deployments = st.builds(
    Deployment, id=ids, environment=texts, identity=texts, commit=texts, program=texts, settings=texts,
    services=st.dictionaries(texts, pins, max_size=2), by=texts, reason=texts,
    holder=st.builds(Holder, texts, texts, st.integers(0, 2**22), texts), phases=moments.map(lambda one: (one,)),
    attempt=st.integers(1, 9), watch=seconds, plan=st.dictionaries(texts, plain, max_size=3),
    before=st.dictionaries(texts, observations, max_size=2), outputs=st.dictionaries(texts, plain, max_size=3),
    findings=findings, serving=maps, log=st.dictionaries(texts, lines, max_size=2),
)  # fmt: skip
facts = st.fixed_dictionaries(
    {},
    optional={
        "findings": findings, "serving": maps, "log": st.dictionaries(texts, lines, max_size=2),
        "outputs": st.dictionaries(texts, plain, max_size=3),
    },
)  # fmt: skip
SOME_LINE = b'{"schema":1,"id":"20261121T120000Z-000001","phases":[]}\n'


@given(opened=deployments, later=st.lists(st.tuples(moments, facts), max_size=4))
def test_lines_say_again_what_they_were_made_of(
    opened: Deployment, later: list[tuple[Moment, dict[str, object]]]
) -> None:
    raw = record.first_line(opened) + b"".join(record.next_line(moment, **known) for moment, known in later)
    whole = record.read(opened.path, raw)

    assert whole.phases == (*opened.phases, *(moment for moment, _ in later))
    for name in ("findings", "serving", "log", "outputs"):
        newest = [known[name] for _, known in later if name in known]
        assert getattr(whole, name) == (newest[-1] if newest else getattr(opened, name))
    assert (whole.services, whole.before, whole.holder) == (opened.services, opened.before, opened.holder)


@given(opened=deployments)
def test_a_line_is_one_line_whatever_the_texts_hold(opened: Deployment) -> None:
    assert len(record.first_line(opened).splitlines()) == 1


@given(raw=st.binary(max_size=200) | plain.map(lambda value: json.dumps(value).encode()))
@example(raw=SOME_LINE)
@example(raw=b'{"schema":1,"phases":{"a":1}}')
@example(raw=b'{"phases":"live"}\n{"phases":null}')
def test_any_bytes_are_a_deployment_or_one_error(raw: bytes) -> None:
    with pytest.raises(UnreadableRecord, match="reading some/file"):
        record.read("some/file", raw)


@given(opened=deployments, cut=st.integers(0, 400), noise=st.binary(max_size=20))
def test_a_damaged_record_is_never_half_read(opened: Deployment, cut: int, noise: bytes) -> None:
    raw = record.first_line(opened)
    damaged = raw[: min(cut, len(raw) - 2)] + noise
    try:
        found = record.read("some/file", damaged)
    except UnreadableRecord:
        return

    assert found == opened  # the noise was the end that had been cut off


@given(times=st.lists(times, min_size=2, max_size=8))
def test_ids_rise_whatever_the_clocks_of_the_controllers_say(times: list[datetime]) -> None:
    ids, last = [], ""
    for now in times:
        last = record.new_id(now, last)
        ids.append(last)
    paths = [f"staging/{each[:4]}/{each[4:6]}/{each}.jsonl" for each in ids]

    assert ids == sorted(set(ids))
    assert record.newest(paths, "staging", 1) == (paths[-1],)
