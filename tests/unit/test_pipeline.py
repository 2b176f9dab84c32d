"""pipeline.yaml, freeze windows, and the small files that stop or allow one thing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from releasectl.errors import InvalidFile
from releasectl.freeze import Freeze
from releasectl.pipeline import (
    Hold,
    Override,
    Pipeline,
    Rejection,
    Source,
    UnknownEnvironment,
    hold_path,
    override_path,
    parse_hold,
    parse_override,
    parse_pipeline,
    parse_rejection,
    rejection_path,
)

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:6c3c624b58db" + "0" * 52

STAGING = "{name: staging, soak: 0s, gates: [], rollback: commit}"
PRODUCTION = "{name: production, promotes_from: staging, soak: 1h, gates: [provenance], rollback: off}"
SERVICES = 'services: {web: {repository: "", path: service}}'


def pipeline(*environments: str, services: str = SERVICES) -> Pipeline:
    text = "schema: 1\nenvironments:\n" + "".join(f"- {one}\n" for one in environments) + services
    return parse_pipeline("pipeline.yaml", text.encode())


def test_the_project_s_own_pipeline_goes_from_staging_to_production() -> None:
    own = parse_pipeline("pipeline.yaml", (ROOT / "pipeline.yaml").read_bytes())

    assert own.first.name == "staging"
    assert own.previous("staging") is None
    assert own.previous("production") == own.environment("staging")
    assert own.environment("production").soak == timedelta(minutes=30)
    assert own.services == {"web": Source("", "service")}


def test_several_environments_may_promote_from_the_same_one() -> None:
    american = PRODUCTION.replace("production", "america")

    found = pipeline(STAGING, PRODUCTION, american)

    assert [one.name for one in found.environments] == ["staging", "production", "america"]
    assert found.previous("america") == found.first


def test_an_unknown_environment_is_named_with_what_was_probably_meant() -> None:
    with pytest.raises(UnknownEnvironment) as caught:
        pipeline(STAGING, PRODUCTION).previous("prodution")

    assert "did you mean `production`?" in caught.value.message
    assert caught.value.remedy == "Name one of: `staging`, `production`."
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "duration"),
    [("0s", timedelta()), ("30m", timedelta(minutes=30)), ("1h", timedelta(hours=1)), ("2d", timedelta(days=2))],
)
def test_a_soak_is_a_number_and_a_unit(text: str, duration: timedelta) -> None:
    assert pipeline(STAGING.replace("0s", text)).first.soak == duration


MISTAKES = {
    "a soak without unit": (STAGING.replace("0s", "30"), "`soak` is `30`, which is no duration"),
    "a soak that is too long": (STAGING.replace("0s", "100000d"), "which is no duration"),
    "an unknown gate": (STAGING.replace("[]", "[vulnerabilites]"), "did you mean `vulnerabilities`?"),
    "a gate twice": (STAGING.replace("[]", "[provenance, provenance]"), "`gates` names something twice"),
    "a rollback by YAML 1.1": (STAGING.replace("commit", "false"), "`rollback` is `False`"),
    "a first that promotes": (STAGING.replace("}", ", promotes_from: x}"), "the first environment promotes from none"),
    "an upper-case name": (STAGING.replace("staging", "Staging"), "`name` is no name for a service"),
    "a misspelt key": (STAGING.replace("soak", "soack"), "did you mean `soak`?"),
    "no mapping": ("staging", "item 1 of `environments` should be a mapping"),
}


@pytest.mark.parametrize(("environment", "words"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_in_an_environment_is_one_finding(environment: str, words: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        pipeline(environment)

    (finding,) = caught.value.findings
    assert words in finding.message


ORDER = {
    "no origin": (PRODUCTION.replace("promotes_from: staging, ", ""), "`promotes_from` is missing"),
    "a misspelt origin": (PRODUCTION.replace(": staging", ": stagin"), "did you mean `staging`?"),
    "itself": (PRODUCTION.replace(": staging", ": production"), "no environment above this one"),
    "a name that GitHub's environment for previews has": (
        PRODUCTION.replace("name: production", "name: preview"),
        "is GitHub's environment for other jobs",
    ),
    "a name twice": (PRODUCTION.replace("name: production", "name: staging"), "the name of two environments"),
}


@pytest.mark.parametrize(("environment", "words"), ORDER.values(), ids=ORDER.keys())
def test_every_later_environment_promotes_from_one_above_it(environment: str, words: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        pipeline(STAGING, environment)

    (finding,) = caught.value.findings
    assert words in finding.message


@pytest.mark.parametrize("path", ["", "/service", "a/../b", "../a", "./a", "a//b", "a\\b"])
def test_a_source_is_a_folder_inside_its_repository(path: str) -> None:
    with pytest.raises(InvalidFile, match="no folder inside the repository"):
        pipeline(STAGING, services=f"services: {{web: {{repository: owner/name, path: '{path}'}}}}")


@pytest.mark.parametrize("number", ["2", "true", "1.0", "'1'"])
def test_only_the_schema_that_is_known_is_read(number: str) -> None:
    with pytest.raises(InvalidFile, match="1:9 schema"):
        parse_pipeline("f", f"schema: {number}\nenvironments: [{STAGING}]\n{SERVICES}".encode())


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


FRIDAY = Freeze("16:00", "24:00", "Europe/Berlin", "weekend", ("fri",))
NIGHT = Freeze("22:00", "06:00", "Europe/Berlin", "night", ("sat",))
HOLIDAYS = Freeze("2026-12-20", "2027-01-02", "Europe/Berlin", "holidays")
CLOCKS = Freeze("01:30", "02:30", "Europe/Berlin", "the hour that comes twice", ("sun",))
WINDOWS = {
    "before": (FRIDAY, "2026-11-20T15:59:59+01:00", None),
    "at the start": (FRIDAY, "2026-11-20T16:00:00+01:00", "2026-11-21T00:00:00+01:00"),
    "at the end": (FRIDAY, "2026-11-21T00:00:00+01:00", None),
    "another day": (FRIDAY, "2026-11-19T17:00:00+01:00", None),
    "in summer time": (FRIDAY, "2026-07-03T14:00:00+00:00", "2026-07-04T00:00:00+02:00"),
    "over midnight, before": (NIGHT, "2026-11-21T23:00:00+01:00", "2026-11-22T06:00:00+01:00"),
    "over midnight, after": (NIGHT, "2026-11-22T05:59:00+01:00", "2026-11-22T06:00:00+01:00"),
    "over midnight, the night before": (NIGHT, "2026-11-21T05:00:00+01:00", None),
    "the first date": (HOLIDAYS, "2026-12-20T00:00:00+01:00", "2027-01-03T00:00:00+01:00"),
    "the last date": (HOLIDAYS, "2027-01-02T23:59:59+01:00", "2027-01-03T00:00:00+01:00"),
    "after the last date": (HOLIDAYS, "2027-01-03T00:00:00+01:00", None),
    "the second of two hours": (CLOCKS, "2026-10-25T02:15:00+01:00", "2026-10-25T02:30:00+01:00"),
}


@pytest.mark.parametrize(("window", "now", "end"), WINDOWS.values(), ids=WINDOWS.keys())
def test_a_window_is_in_force_until_its_end_on_the_clock_of_its_zone(window: Freeze, now: str, end: str | None) -> None:
    assert window.until(at(now)) == (at(end) if end else None)


def test_the_window_that_lasts_longest_is_the_one_to_wait_for() -> None:
    short = "{days: [mon, fri], start: '16:00', end: '17:00', zone: UTC, reason: short}"
    long = "{start: 2026-11-20, end: 2026-11-22, zone: UTC, reason: long}"
    first = pipeline(STAGING.replace("}", f", freeze: [{short}, {long}]}}")).first

    frozen = first.frozen(at("2026-11-20T16:30:00+00:00"))

    assert frozen is not None
    assert (frozen[0].reason, frozen[1]) == ("long", at("2026-11-23T00:00:00+00:00"))
    assert first.frozen(at("2026-11-25T16:30:00+00:00")) is None


FREEZES = {
    "an unknown zone": ("days: [fri], start: '16:00', end: '17:00', zone: Europe/Berlinn", "mean `Europe/Berlin`"),
    "a zone outside": ("days: [fri], start: '16:00', end: '17:00', zone: ../../etc/passwd", "which is no time zone"),
    "an unknown day": ("days: [fry], start: '16:00', end: '17:00', zone: UTC", "did you mean `fri`?"),
    "no such hour": ("days: [fri], start: '24:00', end: '17:00', zone: UTC", "`start` is `24:00`, which is no hour"),
    "a date beside days": ("days: [fri], start: '16:00', end: 2026-11-20, zone: UTC", "which is no hour of a day"),
    "an hour without days": ("start: 2026-11-20, end: '17:00', zone: UTC", "`end` is `17:00`, which is no date"),
    "no such date": ("start: 2026-02-30, end: 2026-03-01, zone: UTC", "which is no date"),
    "an end before the start": ("start: 2026-03-02, end: 2026-03-01, zone: UTC", "`end` lies before `start`"),
    "no length": ("days: [fri], start: '16:00', end: '16:00', zone: UTC", "`end` is the same as `start`"),
    "a number": ("days: [fri], start: 16, end: '16:00', zone: UTC", "`start` should be text"),
}  # fmt: skip


@pytest.mark.parametrize(("window", "words"), FREEZES.values(), ids=FREEZES.keys())
def test_a_mistake_in_a_window_is_one_finding(window: str, words: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        pipeline(STAGING.replace("}", f", freeze: [{{{window}, reason: r}}]}}"))

    (finding,) = caught.value.findings
    assert words in finding.message


def test_a_hold_says_who_why_and_when() -> None:
    hold = parse_hold(hold_path("production"), b"by: ann\nreason: a migration\nat: 2026-11-21T10:00:00Z\n")

    assert hold == Hold("ann", "a migration", datetime(2026, 11, 21, 10, tzinfo=UTC))


def test_a_rejection_names_digest_and_commit() -> None:
    path = rejection_path("production", "web", DIGEST)
    raw = f'digest: {DIGEST}\ncommit: {"a" * 40}\nreason: 500s\ndeployment: ""\n'.encode()

    assert path == "releases/rejected/production-web-6c3c624b58db.yaml"
    assert parse_rejection(path, raw) == Rejection(DIGEST, "a" * 40, "500s", "")


def test_an_override_lets_one_release_pass_one_gate_until_a_time() -> None:
    path = override_path("production", "soak")
    raw = f"gate: soak\nidentity: {'a' * 64}\nreason: urgent\nuntil: 2026-11-21T10:00:00+01:00\n".encode()

    assert path == "releases/overrides/production-soak.yaml"
    assert parse_override(path, raw) == Override("soak", "a" * 64, "urgent", at("2026-11-21T10:00:00+01:00"))


def test_a_file_whose_name_does_not_fit_would_be_found_by_nobody_and_is_refused() -> None:
    rejection = f'digest: {DIGEST}\ncommit: ""\nreason: r\ndeployment: ""\n'.encode()
    override = f"gate: freeze\nidentity: {'a' * 64}\nreason: r\nuntil: 2026-11-21T10:00:00Z\n".encode()

    with pytest.raises(InvalidFile, match=r"ends in `-6c3c624b58db\.yaml`"):
        parse_rejection("releases/rejected/production-web-000000000000.yaml", rejection)
    with pytest.raises(InvalidFile, match=r"ends in `-freeze\.yaml`"):
        parse_override("releases/overrides/production-soak.yaml", override)


def test_nothing_in_a_hold_or_an_override_may_be_left_empty() -> None:
    with pytest.raises(InvalidFile) as hold:
        parse_hold("h", b'by: ""\nreason: ""\nat: today\n')
    with pytest.raises(InvalidFile) as override:
        parse_override("o-shape.yaml", b'gate: shape\nidentity: HEAD\nreason: ""\nuntil: ""\n')

    assert len(hold.value.findings) == 3
    assert len(override.value.findings) == 4
