"""A message reaches a person: from a real burst of errors, and from a failed deployment, to a real subscriber, once."""

import json
import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from releasectl.edges import engine
from tests.e2e.conftest import Story

pytestmark = pytest.mark.nightly

PATIENCE = 60.0  # seconds; a minute of AWS is two here


@dataclass
class Pager:
    """An address that confirms its subscription and keeps what it is told."""

    story: Story
    told: "queue.SimpleQueue[dict[str, Any]]" = field(default_factory=queue.SimpleQueue)
    url: str = ""

    def receive(self, message: dict[str, Any]) -> None:
        if message["Type"] == "SubscriptionConfirmation":
            sns = self.story.client("sns")
            sns.confirm_subscription(TopicArn=message["TopicArn"], Token=message["Token"])
        else:
            self.told.put(message)

    def next(self, about: str) -> dict[str, Any]:
        """The next message that names `about`; others are passed over."""
        end = time.monotonic() + PATIENCE
        while True:
            message: dict[str, Any] = self.told.get(timeout=max(0.1, end - time.monotonic()))
            if about in message["Message"]:
                return message

    def rest(self, about: str, seconds: float) -> list[dict[str, Any]]:
        """What else comes about it within so many seconds."""
        end, found = time.monotonic() + seconds, []
        while (left := end - time.monotonic()) > 0:
            try:
                message = self.told.get(timeout=left)
            except queue.Empty:
                break
            if about in message["Message"]:
                found.append(message)
        return found


@pytest.fixture(scope="module")
def pager(story: Story) -> Iterator[Pager]:
    """Staging's topic tells it, by an address that is a secret; a service that can fail is live."""
    kept = Pager(story)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            threading.Thread(target=kept.receive, args=(message,)).start()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        kept.url = f"http://127.0.0.1:{server.server_port}/integration/4711"
        encrypt(story, kept.url)
        released = story.build_new("1.0.0", WEB_FAIL="errors")  # healthy, but / answers 500
        assert story.bump(released).code == 0
        said = story.releasectl("reconcile", "staging")
        assert said.code == 0, said.err
        yield kept
        server.shutdown()


def encrypt(story: Story, url: str) -> None:
    """As a person does it, by the command that an address in clear is answered with."""
    story.pull()
    binary = engine.find().path
    path = "release-controller:alerts.https[0]"
    settings = story.sandbox.clone / "Pulumi.staging.yaml"
    lines = settings.read_text().splitlines(keepends=True)
    settings.write_text("".join(line for line in lines if not line.startswith("    https:")))
    subprocess.run(
        [str(binary), "config", "set", "--secret", "--path", path, url, "--stack", "staging", "--non-interactive"],
        cwd=story.sandbox.clone, env=story.sandbox.environment, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    story.commit({"Pulumi.staging.yaml": settings.read_bytes()}, "Page us")


def traffic(story: Story, path: str, seconds: float) -> None:
    """Some thirty requests a second, so that every minute of the sandbox has enough to judge."""
    url, end = f"{story.service()['url']}/{path}", time.monotonic() + seconds
    with httpx.Client(verify=story.sandbox.tls(), trust_env=False) as client:
        while time.monotonic() < end:
            client.get(url)
            time.sleep(0.03)


def test_the_address_is_told_to_nobody(story: Story, pager: Pager) -> None:
    written = story.read("Pulumi.staging.yaml").decode()

    assert "secure:" in written
    assert pager.url not in written
    assert not any(pager.url.encode() in content for content in story.state().values())
    assert pager.url not in json.dumps(story.history())


def test_quiet_traffic_pages_nobody(story: Story, pager: Pager) -> None:
    pager.rest("errors", 0.5)  # what a new alarm says once: its first data came
    with httpx.Client(verify=story.sandbox.tls(), trust_env=False) as client:
        url = story.service()["url"]
        assert [client.get(url).status_code, client.get(f"{url}/version").status_code] == [500, 200]

    said = [json.loads(one["Message"]) for one in pager.rest("web-errors", 12)]
    assert not [one for one in said if one.get("NewStateValue") == "ALARM"]


def test_a_real_burst_of_errors_reaches_the_subscriber_once_and_so_does_its_end(story: Story, pager: Pager) -> None:
    traffic(story, "", 14)

    rang = json.loads(pager.next("ALARM")["Message"])
    assert rang["AlarmName"] == "release-controller-staging-web-errors"
    assert rang["NewStateValue"] == "ALARM"
    traffic(story, "version", 16)
    over = json.loads(pager.next("release-controller-staging-web-errors")["Message"])
    assert (over["OldStateValue"], over["NewStateValue"]) == ("ALARM", "OK")
    assert pager.rest("release-controller-staging-web-errors", 6) == []


def test_a_failed_deployment_reaches_the_subscriber_by_aws_s_event_and_by_the_controller(
    story: Story, pager: Pager
) -> None:
    bad = story.build_new("1.1.0", WEB_FAIL="health")
    assert story.bump(bad).code == 0

    assert story.releasectl("reconcile", "staging").code == 1

    found = [pager.next("UpdateServiceFailed"), pager.next("staging failed:")]
    event = json.loads(found[0]["Message"])
    assert (event["source"], event["detail"]["operationStatus"]) == ("aws.apprunner", "UpdateServiceFailed")
    assert bad.digest in found[1]["Message"]
    assert pager.rest("UpdateServiceFailed", 4) == []
