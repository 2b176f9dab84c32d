"""What the program tells of an environment, from an update and from a preview that does not know everything yet."""

from typing import Any

import pytest

from releasectl.errors import Retry
from releasectl.outputs import UNKNOWN, Allowed, DnsRecord, Domain, Former, UnreadableOutputs, read

WEB = {
    "runtime": "app-runner", "repository": "r/web", "digest": "sha256:d", "image": "r/web@sha256:d",
    "service": "arn:web", "url": "https://web", "health_path": "/healthz", "version_path": "/version",
    "alarms": ["errors"],
}  # fmt: skip
OUTPUTS: dict[str, Any] = {
    "environment": "staging", "region": "eu-west-1", "topic": "arn:topic", "services": {"web": WEB},
    "shape": [{"type": "t", "operations": ["update"], "properties": ["p"]}],
}  # fmt: skip


def test_outputs_become_values() -> None:
    outputs = read(OUTPUTS)

    assert (outputs.region, outputs.topic) == ("eu-west-1", "arn:topic")
    assert outputs.services["web"].alarms == ("errors",)
    assert outputs.shape == (Allowed("t", ("update",), ("p",)),)


@pytest.mark.parametrize(
    "unknown",
    [
        pytest.param(UNKNOWN, id="not known yet"),
        pytest.param(f"https://{UNKNOWN}", id="built from what is not known yet"),
        pytest.param(None, id="null"),
        pytest.param("", id="empty"),
    ],
)
def test_what_a_preview_does_not_know_reads_as_empty(unknown: object) -> None:
    keys = ("repository", "image", "service", "url")
    outputs = read(OUTPUTS | {"topic": unknown, "services": {"web": WEB | dict.fromkeys(keys, unknown)}})
    web = outputs.services["web"]

    assert outputs.topic == ""
    assert (web.repository, web.image, web.service, web.url) == ("", "", "", "")
    assert web.digest == "sha256:d"


def test_what_an_older_program_does_not_say_is_nothing() -> None:
    web = read(OUTPUTS).services["web"]

    assert (web.log_group, web.private, web.leaving, web.domain) == ("", False, None, None)


def test_a_service_on_its_way_to_another_runtime_and_to_a_name_of_its_own() -> None:
    leaving = {"runtime": "app-runner", "service": "arn:old", "url": "https://old"}
    record = {"name": "app.example.com", "type": "CNAME", "value": "lb.example.com"}
    domain = {"name": "app.example.com", "target": "lb.example.com", "records": [record]}
    said = WEB | {"log_group": "/logs", "private": True, "leaving": leaving, "domain": domain}
    web = read(OUTPUTS | {"services": {"web": said}}).services["web"]

    assert (web.log_group, web.private) == ("/logs", True)
    assert web.leaving == Former("app-runner", "arn:old", "https://old")
    assert web.domain == Domain("app.example.com", "lb.example.com", (DnsRecord(**record),))


@pytest.mark.parametrize("unknown", [UNKNOWN, None, ""])
def test_what_a_preview_does_not_know_of_a_move_and_a_domain(unknown: object) -> None:
    half = {"leaving": {"runtime": "app-runner", "service": unknown}, "domain": {"name": "a.b", "records": unknown}}
    none = {"leaving": unknown, "domain": unknown, "private": unknown, "log_group": unknown}
    outputs = read(OUTPUTS | {"services": {"web": WEB | half, "api": WEB | none}})
    web, api = outputs.services["web"], outputs.services["api"]

    assert (web.leaving, web.domain) == (Former("app-runner"), Domain("a.b"))
    assert (api.leaving, api.domain, api.private, api.log_group) == (None, None, False, "")


def test_alarms_that_have_no_name_yet_are_there() -> None:
    outputs = read(OUTPUTS | {"services": {"web": WEB | {"alarms": [UNKNOWN, "errors"]}}})

    assert outputs.services["web"].alarms == ("", "errors")


def test_a_program_may_say_more_than_this_controller_reads() -> None:
    assert read(OUTPUTS | {"dashboard": "https://x"}).environment == "staging"


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        pytest.param({}, "environment", id="empty"),
        pytest.param(OUTPUTS | {"services": UNKNOWN}, "services", id="services not known"),
        pytest.param(
            OUTPUTS | {"services": {"web": {"runtime": "x"}}}, "services.web.repository", id="a field is missing"
        ),
        pytest.param(OUTPUTS | {"services": {"web": WEB | {"url": 1}}}, "services.web.url", id="a number for a text"),
        pytest.param(OUTPUTS | {"shape": [{"type": "t"}]}, "shape.0.operations", id="half a shape"),
    ],
)
def test_outputs_of_another_form_are_refused_with_their_place(raw: dict[str, object], where: str) -> None:
    with pytest.raises(UnreadableOutputs) as caught:
        read(raw)

    assert f"`{where}`" in caught.value.message
    assert caught.value.remedy.startswith("Pin a program")
    assert caught.value.retry is Retry.AFTER_CHANGE
