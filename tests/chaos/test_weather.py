"""Bad weather is what it says: seen by the real clients that meet it."""

import http.server
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sandbox.process import LOOPBACK
from sandbox.remote import git
from tests.chaos import disk, push_faults
from tests.chaos.proxy import Proxy, Sky
from tests.chaos.story import Http, Push

ASKED = "UpdateService"


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers everything with an empty service, and remembers what it was asked."""

    asked: list[str]

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.rfile.read(length)
        self.asked.append(self.headers.get("X-Amz-Target", "").rpartition(".")[2] or "query")
        answer = json.dumps({"Service": {}, "OperationId": "1"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@pytest.fixture
def asked() -> list[str]:
    """What reached the upstream."""
    return []


@pytest.fixture
def sky() -> Sky:
    return Sky()


@pytest.fixture
def proxy(asked: list[str], sky: Sky) -> Iterator[Proxy]:
    """A proxy before an upstream."""
    handler = type("Handler", (Upstream,), {"asked": asked})
    server = http.server.ThreadingHTTPServer((LOOPBACK, 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    proxy = Proxy("app runner", server.server_port, sky)
    yield proxy
    proxy.close()
    server.shutdown()
    server.server_close()
    thread.join()


def client(service: str, proxy: Proxy, attempts: int = 1) -> Any:
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=f"http://{LOOPBACK}:{proxy.port}",
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
    )


def order(kind: str, *, skip: int = 0, hits: int = 1, changes_only: bool = False, seconds: float = 0.0) -> Http:
    return Http(kind, "app runner", changes_only=changes_only, skip=skip, hits=hits, seconds=seconds)


def update(proxy: Proxy, attempts: int = 1) -> None:
    client("apprunner", proxy, attempts).update_service(ServiceArn="arn:aws:apprunner:eu-west-1:0:service/web/1")


def test_fair_weather_changes_nothing_and_changes_are_remembered(proxy: Proxy, sky: Sky, asked: list[str]) -> None:
    update(proxy)

    assert asked == [ASKED]
    assert [(each.operation, b"service/web" in each.body) for each in sky.changes] == [(ASKED, True)]


def test_a_throttled_call_never_arrives_and_is_one_to_boto(proxy: Proxy, sky: Sky, asked: list[str]) -> None:
    sky.brings(order("throttled"))

    with pytest.raises(ClientError) as told:
        update(proxy)

    assert told.value.response["Error"]["Code"] == "ThrottlingException"
    assert (asked, sky.changes) == ([], [])


@pytest.mark.parametrize("service", ["apprunner", "sns"], ids=["json", "query"])
def test_a_broken_answer_is_one_in_the_protocol_that_was_asked(service: str, proxy: Proxy, sky: Sky) -> None:
    sky.brings(order("broken"))

    with pytest.raises(ClientError) as told:
        update(proxy) if service == "apprunner" else client(service, proxy).list_topics()

    assert told.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert told.value.response["Error"]["Code"] == "ServiceUnavailable"


def test_a_cut_connection_does_nothing_and_a_lost_answer_does_it(proxy: Proxy, sky: Sky, asked: list[str]) -> None:
    sky.brings(order("cut"))
    with pytest.raises(BotoCoreError):
        update(proxy)
    assert asked == []

    sky.brings(order("lost"))
    with pytest.raises(BotoCoreError):
        update(proxy)
    assert asked == [ASKED]
    assert len(sky.changes) == 1, "it was done"


def test_a_slow_answer_comes(proxy: Proxy, sky: Sky, asked: list[str]) -> None:
    sky.brings(order("slow", seconds=0.3))
    begun = time.monotonic()

    update(proxy)

    assert time.monotonic() - begun >= 0.3
    assert asked == [ASKED]


def test_an_order_counts_only_what_it_is_about(proxy: Proxy, sky: Sky, asked: list[str]) -> None:
    sky.brings(order("throttled", skip=1, hits=1, changes_only=True))
    client("apprunner", proxy).list_services()
    update(proxy)

    with pytest.raises(ClientError):
        update(proxy)

    update(proxy)
    assert asked == ["ListServices", ASKED, ASKED]
    assert sky.struck == [f"throttled {ASKED}"]


def test_a_retry_gets_over_a_short_storm(proxy: Proxy, sky: Sky, asked: list[str]) -> None:
    sky.brings(order("broken", hits=1))

    update(proxy, attempts=3)

    assert asked == [ASKED]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with a commit, and its remote with the campaign's hooks beside it."""
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(tmp_path / "remote.git"))
    git(tmp_path, "clone", "--quiet", str(tmp_path / "remote.git"), str(tmp_path / "clone"))
    push_faults.install(tmp_path / "remote.git")
    git(tmp_path / "clone", "commit", "--quiet", "--allow-empty", "--message", "one")
    return tmp_path / "clone"


def push(clone: Path) -> int:
    argv = ["git", "-C", str(clone), "push", "--quiet", "origin", "HEAD:refs/heads/records"]
    return subprocess.run(argv, check=False, capture_output=True).returncode


def arrived(clone: Path) -> bool:
    return bool(git(clone, "ls-remote", "origin", "refs/heads/records"))


def test_a_push_is_refused_once(clone: Path) -> None:
    remote = clone.parent / "remote.git"
    push_faults.give(remote, Push("refused", 0, 1))

    assert push(clone) != 0
    assert not arrived(clone)
    assert push(clone) == 0
    assert push_faults.struck(remote) == 1


def test_a_push_whose_answer_is_lost_has_arrived(clone: Path) -> None:
    remote = clone.parent / "remote.git"
    push_faults.give(remote, Push("lost", 0, 1))

    assert push(clone) != 0
    assert arrived(clone)
    assert push_faults.struck(remote) == 1


def test_pushes_before_the_order_go_through(clone: Path) -> None:
    push_faults.give(clone.parent / "remote.git", Push("refused", 1, 1))

    assert push(clone) == 0
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "two")
    assert push(clone) != 0


def test_an_order_that_is_taken_back_does_nothing(clone: Path) -> None:
    push_faults.give(clone.parent / "remote.git", Push("refused", 0, 9))
    push_faults.give(clone.parent / "remote.git", None)

    assert push(clone) == 0


def test_a_full_disk_takes_no_more_until_it_is_freed(tmp_path: Path) -> None:
    mounted = disk.mount(tmp_path / "small")
    if mounted.unusable:
        assert os.geteuid() != 0 or "mount" in mounted.unusable, "where it cannot be mounted, it says why"
        return
    try:
        mounted.fill(8192)
        (mounted.folder / "fits").write_bytes(b"x" * 4096)
        with pytest.raises(OSError, match="space"):
            (mounted.folder / "too-much").write_bytes(b"x" * 65536)
        mounted.free()
        (mounted.folder / "too-much").write_bytes(b"x" * 65536)
    finally:
        mounted.unmount()
    assert not (tmp_path / "small" / "too-much").exists()


def test_a_folder_with_something_in_it_is_not_mounted_over(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")

    assert disk.mount(tmp_path).unusable
    assert (tmp_path / "kept").read_text() == "kept"
