"""The door: the host names of ECR lead to the sandbox's registry, for any tool, and nothing else leads anywhere."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from sandbox import place, process
from sandbox.process import Running
from sandbox.registry import digest_of
from sandbox.runtimes.certificates import Certificates, certificates
from tests.sandbox.conftest import HOST, ROOT, processes, until


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("authority"))


def argv(ministack: str, known: Certificates, *more: str) -> list[str]:
    authority = ["--authority", str(known.authority), "--key", str(known.authority.with_suffix(".key"))]
    return [sys.executable, "-m", "sandbox.registry_door", "--registry", ministack, *authority, *more]


@pytest.fixture(scope="module")
def door(ministack: str, known: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    log = tmp_path_factory.mktemp("door") / "door.log"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    running = process.start("door", argv(ministack, known), log=log, environment=environment, ready=process.ready_line)
    yield running
    running.stop()


@pytest.fixture
def client(door: Running, known: Certificates) -> Iterator[httpx.Client]:
    """A client that goes by the door and trusts the sandbox's authority alone."""
    roots = ssl.create_default_context(cafile=str(known.authority))
    with httpx.Client(proxy=door.endpoint, verify=roots, trust_env=False) as client:
        yield client


def said(door: Running, request: bytes) -> bytes:
    """All that the door answers to raw bytes."""
    with socket.create_connection(("127.0.0.1", urlsplit(door.endpoint).port or 0), timeout=10) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(4096), b""))


def test_an_image_is_read_by_the_name_that_ecr_has(client: httpx.Client, image: Callable[..., str]) -> None:
    name, digest = image(VERSION="door").removeprefix(f"{HOST}/").split("@")
    answer = client.get(f"https://{HOST}/v2/{name}/manifests/{digest}")

    assert answer.status_code == 200
    assert digest_of(answer.content) == digest


@pytest.mark.parametrize(
    "host", ["123456789012.dkr.ecr.us-east-1.amazonaws.com", "000000000000.dkr.ecr.ap-southeast-2.amazonaws.com"]
)
def test_every_account_and_region_has_a_certificate_of_its_own(client: httpx.Client, host: str) -> None:
    assert client.get(f"https://{host}/v2/").status_code == 200


def test_a_large_body_passes_in_both_directions(client: httpx.Client, image: Callable[..., str]) -> None:
    name = image(VERSION="door").removeprefix(f"{HOST}/").partition("@")[0]
    content = os.urandom(8 << 20)
    path = f"https://{HOST}/v2/{name}/blobs"
    client.post(f"{path}/uploads/", params={"digest": digest_of(content)}, content=content).raise_for_status()

    assert client.get(f"{path}/{digest_of(content)}").content == content


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("example.com:443", id="the world"),
        pytest.param("sts.eu-west-1.amazonaws.com:443", id="another service of AWS"),
        pytest.param(f"{HOST}:80", id="another port"),
        pytest.param("127.0.0.1:22", id="this machine"),
        pytest.param(f"{HOST}.example.com:443", id="a name that begins like ECR"),
        pytest.param(f"example.com/{HOST}:443", id="a name that ends like ECR"),
    ],
)
def test_every_other_host_is_refused(door: Running, target: str) -> None:
    answer = said(door, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"image registry alone" in answer


def test_what_is_no_connect_request_is_refused(door: Running) -> None:
    assert said(door, b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n").startswith(b"HTTP/1.1 502 ")


def test_who_does_not_trust_the_authority_gets_nothing(door: Running, client: httpx.Client) -> None:
    with (
        httpx.Client(proxy=door.endpoint, trust_env=False) as stranger,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        stranger.get(f"https://{HOST}/v2/")
    assert client.get(f"https://{HOST}/v2/").status_code == 200


def test_a_registry_that_is_gone_ends_the_connection(known: Certificates, tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{process.free_port()}"
    running = process.start(
        "door",
        argv(nobody, known),
        log=tmp_path / "door.log",
        environment={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        ready=process.ready_line,
    )
    try:
        roots = ssl.create_default_context(cafile=str(known.authority))
        with (
            httpx.Client(proxy=running.endpoint, verify=roots, trust_env=False) as client,
            pytest.raises(httpx.TransportError),
        ):
            client.get(f"https://{HOST}/v2/")
    finally:
        running.stop()
    assert "Traceback" not in (tmp_path / "door.log").read_text()


@pytest.mark.parametrize("how", ["SIGTERM", "the end of stdin"])
def test_it_ends_when_it_is_told(ministack: str, known: Certificates, how: str) -> None:
    running = subprocess.Popen(
        argv(ministack, known, "--die-with-stdin"),
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with running:
        assert running.stdout
        assert running.stdin
        assert json.loads(running.stdout.readline())["endpoint"].startswith("http://127.0.0.1:")
        running.send_signal(signal.SIGTERM) if how == "SIGTERM" else running.stdin.close()

        assert running.wait(10) == 0
        assert running.stderr
        assert running.stderr.read() == ""


def test_a_port_that_is_taken_is_told(ministack: str, known: Certificates, door: Running) -> None:
    taken = str(urlsplit(door.endpoint).port)
    done = subprocess.run(
        argv(ministack, known, "--port", taken), cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, f"listening on 127.0.0.1:{taken}" in done.stderr) == (3, True)


def test_a_tool_with_nothing_but_the_sandboxs_variables_finds_the_registry(tmp_path: Path) -> None:
    standing = place.up(tmp_path / "sandbox", ROOT)
    try:
        ask = f"import httpx; print(httpx.get('https://{HOST}/v2/').status_code)"
        done = subprocess.run(
            [sys.executable, "-c", ask],
            env={"PATH": os.environ["PATH"], **standing.variables}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        parts = [Path(f"/proc/{pid}/environ").read_bytes() for pid in standing.processes.values()]
    finally:
        place.down(standing)

    assert (done.stdout.strip(), done.stderr) == ("200", "")
    assert [part for part in parts if b"HTTPS_PROXY=" in part or b"https_proxy=" in part] == []
    until(lambda: processes(str(tmp_path)), lambda left: left == [])


@pytest.mark.skipif(not shutil.which("buildah"), reason="buildah is not installed: no foreign tool to pull with")
def test_buildah_pulls_by_digest_through_the_door(
    door: Running, known: Certificates, image: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    reference = image(VERSION="door")
    stores = ["--storage-driver", "vfs", "--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run")]
    done = subprocess.run(
        ["buildah", *stores, "pull", "--signature-policy", str(tmp_path / "policy.json"), f"docker://{reference}"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "HTTPS_PROXY": door.endpoint,
            "SSL_CERT_FILE": str(known.authority),
        },
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip()) == 64  # the id of the image
