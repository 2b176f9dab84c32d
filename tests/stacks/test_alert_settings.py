"""The part of the settings about alerts: what is accepted, and what is said of everything that is not."""

from dataclasses import dataclass, field

import jsonschema
import pytest
import yaml
from pydantic import TypeAdapter

from releasectl import document
from releasectl.errors import InvalidFile
from stacks.alert_settings import Alarms, Alerts, Secret, Slack

CIPHERTEXT = "v1:c2VjcmV0Cg==:bm90aGluZyB0byBzZWUgaGVyZQ=="


@dataclass(frozen=True)
class File:
    alerts: Alerts = field(default_factory=Alerts)
    alarms: Alarms = field(default_factory=Alarms)


def parse(text: str) -> File:
    return document.parse("settings.yaml", text.encode(), File, every_scalar_is_text=False)


def findings(text: str) -> list[str]:
    with pytest.raises(InvalidFile) as caught:
        parse(text)
    return [str(finding) for finding in caught.value.findings]


def test_what_is_left_out_has_a_sound_default() -> None:
    assert parse("alerts: {}\nalarms: {}") == File()
    assert File().alerts.encrypt


def test_everybody_can_be_told_at_once() -> None:
    text = (
        'alerts: {email: [a@team.example], sms: ["+491701234567"], dashboard: false, encrypt: false,\n'
        f"  https: [{{secure: '{CIPHERTEXT}'}}], slack: {{team: T0123ABCD, channel: G0123ABCD}}}}"
    )

    assert parse(text).alerts == Alerts(
        email=("a@team.example",),
        sms=("+491701234567",),
        https=(Secret(CIPHERTEXT),),
        slack=Slack("T0123ABCD", "G0123ABCD"),
        dashboard=False,
        encrypt=False,
    )
    jsonschema.validate(yaml.safe_load(text), TypeAdapter(File).json_schema())


@pytest.mark.parametrize("key", ["errors_percent", "latency_p95_ms", "cpu_percent", "memory_percent"])
def test_0_is_a_threshold_that_says_no_such_alarm(key: str) -> None:
    assert getattr(parse(f"alarms: {{{key}: 0}}").alarms, key) == 0


@pytest.mark.parametrize(
    ("key", "value", "said", "remedy"),
    [
        pytest.param("email", "[nobody]", "`nobody`, which is no address", "team@example.com", id="mail"),
        pytest.param("email", "[a@b.example, a@b.example]", "names `a@b.example` twice", "Delete", id="mail twice"),
        pytest.param("email", "a@b.example", "should be a list", "Write a list", id="no list"),
        pytest.param("sms", '["0170 123"]', "no number that can be called from anywhere", "+4917", id="number"),
        pytest.param("sms", '["+0170123456"]', "no number that can be called", "Write `+`", id="country 0"),
        pytest.param("sms", "[+491701234567]", "should be text", "quotes", id="a number without quotes"),
        pytest.param("sms", '["+4917012345", "+4917012345"]', "twice", "Delete", id="number twice"),
        pytest.param("slack", "{team: C0123ABCD, channel: C0123ABCD}", "no ID of a Slack workspace", "T", id="team"),
        pytest.param("slack", "{team: T0123ABCD, channel: '#alerts'}", "no ID of a Slack channel", "link", id="name"),
        pytest.param("slack", "{team: T0123ABCD, channel: D0123ABCD}", "no ID of a Slack channel", "link", id="person"),
        pytest.param("slack", "{team: T0123ABCD}", "`channel` is missing", "Add", id="no channel"),
        pytest.param("slack", "T0123ABCD", "should be a mapping", "Write", id="slack as text"),
        pytest.param("encrypt", "1", "should be true or false", "Write `true`", id="encrypt"),
        pytest.param("dashbord", "true", "did you mean `dashboard`?", "Rename", id="near miss"),
        pytest.param("https", "[{secure: x}]", "nothing that Pulumi encrypted", "pulumi config set", id="by hand"),
        pytest.param("https", "[{secur: x}]", "did you mean `secure`?", "Rename", id="near miss in a secret"),
        pytest.param("https", "[5]", "should be a mapping", "Write", id="a number as a secret"),
        pytest.param("https", f"{{secure: '{CIPHERTEXT}'}}", "`https` is no list", "Delete it. Run", id="one secret"),
    ],
)
def test_a_wrong_way_to_tell_people_is_one_finding_with_place_and_remedy(
    key: str, value: str, said: str, remedy: str
) -> None:
    [finding] = findings(f"alerts: {{{key}: {value}}}")

    assert finding.startswith("settings.yaml:1:")
    assert f"alerts.{key}" in finding
    assert said in finding
    assert remedy in finding


@pytest.mark.parametrize(
    ("value", "command", "others"),
    [
        pytest.param("[https://hook.example/x0x]", "https[0]'", "", id="one"),
        pytest.param("https://hook.example/x0x", "https[0]'", "", id="no list"),
        pytest.param("[http://hook.example/x0x]", "https[0]'", "", id="http"),
        pytest.param(f"[{{secure: '{CIPHERTEXT}'}}, 'https://x0x']", "https[1]'", "", id="beside a secret"),
        pytest.param("[https://x0x, https://x0x, https://x0x]", "https[0]'", "the same for [1], [2]", id="three"),
        pytest.param("[{secure: https://x0x}]", "https[0]'", "", id="called secure"),
        pytest.param("[{secure: 'http://localhost:8080/x0x'}]", "https[0]'", "", id="of this machine, called secure"),
    ],
)
def test_an_address_in_clear_is_refused_with_the_command_that_encrypts_it_and_never_repeated(
    value: str, command: str, others: str
) -> None:
    [finding] = findings(f"alerts: {{https: {value}}}")

    assert f"`pulumi config set --secret --path 'release-controller:alerts.{command} URL`" in finding
    assert others in finding
    assert "x0x" not in finding


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        pytest.param("errors_percent", "-1", "outside 0 to 100", id="negative share"),
        pytest.param("errors_percent", "100.5", "outside 0 to 100", id="more than all"),
        pytest.param("cpu_percent", "101", "outside 0 to 100", id="more CPU than there is"),
        pytest.param("memory_percent", "-0.1", "outside 0 to 100", id="negative memory"),
        pytest.param("latency_p95_ms", "-1", "outside 0 to 120000", id="negative latency"),
        pytest.param("latency_p95_ms", "120001", "outside 0 to 120000", id="longer than any request"),
        pytest.param("latency_p95_ms", "0.5", "should be a whole number", id="half a millisecond"),
        pytest.param("minimum_requests", "0", "outside 1 to 1000000", id="no traffic"),
        pytest.param("memory_percent", "'90'", "should be a number, not the text `90`", id="text for a number"),
        pytest.param("errors_percent", ".nan", "is no number", id="not a number"),
        pytest.param("errors_percent", ".inf", "is no number", id="endless"),
        pytest.param("instances", "yes", "should be true or false", id="truth as text"),
        pytest.param("error_percent", "1", "did you mean `errors_percent`?", id="near miss"),
    ],
)
def test_a_wrong_threshold_is_one_finding_with_place_and_remedy(key: str, value: str, said: str) -> None:
    [finding] = findings(f"alarms: {{{key}: {value}}}")

    assert f"alarms.{key}" in finding
    assert said in finding


def test_everything_that_is_wrong_is_said_at_once() -> None:
    text = (
        "alerts: {email: [a], sms: ['1'], https: [https://x], slack: {team: t, channel: c}, encrypt: 0}\n"
        "alarms: {errors_percent: -1, latency_p95_ms: -1, cpu_percent: 200, memory_percent: 200, minimum_requests: 0}"
    )

    assert len(findings(text)) == 11
