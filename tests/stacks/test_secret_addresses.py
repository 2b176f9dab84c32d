"""Addresses of alerts that are secrets: what the program makes of them, and that a real engine keeps them to itself."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from stacks.alert_settings import Alerts, Secret
from tests.stacks import test_plain_cli
from tests.stacks.alerting import SECRET_MARK, subscriptions, told
from tests.stacks.recording_engine import Recording

PAGER = "https://events.pager.example/integration/0123456789abcdef/enqueue"
project, cli = test_plain_cli.project, test_plain_cli.cli  # pytest finds fixtures by name
PROGRAM = """
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import pulumi
import pulumi_aws as aws

from stacks.notifications import topic
from stacks.settings import parse_settings

settings = parse_settings("Pulumi.staging.yaml", (ROOT / "Pulumi.staging.yaml").read_bytes(), "staging")
provider = aws.Provider("aws", region=settings.region)
options = pulumi.ResourceOptions(provider=provider)
parent = pulumi.ComponentResource("release-controller:stacks:Environment", "staging", None, options)
pulumi.export("topic", topic("staging", settings.alerts, parent))
"""


def secret(*urls: str) -> Recording:
    return told(Alerts(https=tuple(Secret("v1:ciphertext:of-it") for _ in urls)), https=list(urls))


def test_a_secret_address_goes_to_the_engine_as_a_secret_and_its_name_does_not_tell_it() -> None:
    [(name, (protocol, endpoint))] = subscriptions(secret(PAGER)).items()

    assert protocol == "https"
    assert SECRET_MARK in endpoint
    assert endpoint["value"] == PAGER
    assert name.startswith("alerts-https-")
    assert len(name) == len("alerts-https-") + 8


def test_the_engine_waits_until_a_secret_address_has_confirmed_itself() -> None:
    [one] = [one for one in secret(PAGER).registrations if one.key[0] == "TopicSubscription"]

    assert one.inputs["endpointAutoConfirms"] is True


def test_taking_one_of_several_secret_addresses_away_touches_no_other() -> None:
    both, second = secret(PAGER, f"{PAGER}/2"), secret(f"{PAGER}/2")

    assert len(subscriptions(both)) == 2
    assert subscriptions(second).items() <= subscriptions(both).items()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_this_machine_itself_may_be_told_without_encryption(host: str) -> None:
    [(protocol, _)] = subscriptions(secret(f"http://{host}:8080/hook")).values()

    assert protocol == "http"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("http://hook.example/x0x", "is no https URL with a host", id="http in public"),
        pytest.param("http://127.0.0.1.example/x0x", "is no https URL", id="a host that looks like loopback"),
        pytest.param("hook.example/x0x", "is no https URL", id="no scheme"),
        pytest.param("https:///x0x", "is no https URL", id="no host"),
        pytest.param("https://hook.example/x0x y", "is no https URL", id="a blank"),
        pytest.param("https://[x0x", "is no https URL", id="a broken host"),
        pytest.param("x0x@hook.example", "is no https URL", id="a mail address"),
    ],
)
def test_a_wrong_secret_address_is_refused_without_being_said(url: str, said: str) -> None:
    with pytest.raises(Exception, match=r"release-controller:alerts\.https\[1\]") as caught:
        secret(PAGER, url)

    assert said in str(caught.value)
    assert "x0x" not in str(caught.value)
    assert "0123456789abcdef" not in str(caught.value)


def test_the_same_secret_address_twice_is_refused() -> None:
    with pytest.raises(Exception, match=r"alerts\.https\[1\] .*is there twice"):
        secret(PAGER, PAGER)


@pytest.mark.parametrize("known", [None, [], ["a", {"secure": "v1:x"}]], ids=["nothing", "too few", "still encrypted"])
def test_secret_addresses_that_the_engine_did_not_decrypt_are_no_quiet_nothing(known: list[Any] | None) -> None:
    with pytest.raises(Exception, match="did not hand them over decrypted"):
        told(Alerts(https=(Secret("v1:ciphertext:one"), Secret("v1:ciphertext:two"))), https=known)


class _Pager(BaseHTTPRequestHandler):
    """Confirms itself, as PagerDuty does."""

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        if message["Type"] == "SubscriptionConfirmation":
            _confirm(message)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _confirm(message: dict[str, str]) -> None:
    """Through the API: ministack 1.5.33 does not know its own SubscribeURL (404), since no credentials say for whom."""
    here = "{0.scheme}://{0.netloc}".format(urlsplit(message["SubscribeURL"]))
    sns = boto3.client(
        "sns", endpoint_url=here, region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    sns.confirm_subscription(TopicArn=message["TopicArn"], Token=message["Token"])


@pytest.fixture
def pager() -> Iterator[str]:
    """A secret address on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pager)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/integration/0123456789abcdef"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_real_engine_subscribes_a_secret_address_and_shows_it_to_nobody(
    cli: test_plain_cli.Pulumi, project: Path, tmp_path: Path, pager: str
) -> None:
    (project / "stacks/__main__.py").write_text(PROGRAM)
    settings = project / "Pulumi.staging.yaml"
    settings.write_text(settings.read_text().replace("    email: []", "    email: []\n    encrypt: false", 1))
    cli("stack", "init", "staging")
    cli("config", "set", "--secret", "--path", "release-controller:alerts.https[0]", pager, "-s", "staging")

    said = cli("preview", "-s", "staging", "--json", "--show-secrets=false").stdout
    said += cli("preview", "-s", "staging", "--diff").stdout
    said += cli("up", "-s", "staging", "--yes", "--skip-preview").stdout
    said += cli("up", "-s", "staging", "--yes", "--skip-preview", "--expect-no-changes").stdout
    state = cli("stack", "export", "-s", "staging").stdout

    assert "alerts-https-" in said
    assert "[secret]" in said
    for text in (said, state, settings.read_text(), *_texts(tmp_path / "state")):
        assert "0123456789abcdef" not in text
    [endpoint] = [
        one["outputs"]["endpoint"]
        for one in json.loads(state)["deployment"]["resources"]
        if one["type"] == "aws:sns/topicSubscription:TopicSubscription"
    ]
    assert set(endpoint) == {SECRET_MARK, "ciphertext"}


def _texts(folder: Path) -> list[str]:
    return [path.read_text() for path in folder.rglob("*") if path.is_file()]
