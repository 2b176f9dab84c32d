"""The App Runner as a process, and the processes that it starts: they end when it ends, however it ends."""

import os
import shutil
import signal
import ssl
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import boto3
import httpx
import pytest

from sandbox.registry import Registry
from sandbox.runtimes.instance import isolation
from tests.sandbox.conftest import (
    HOST,
    ROOT,
    Laptop,
    access,
    create,
    laptop_of,
    layer,
    processes,
    push_layers,
    settled,
    source,
    start_runtimes,
    stop,
    until,
)

PERL = Path("/usr/lib/x86_64-linux-gnu/perl-base")

# A server that needs nothing but perl-base, and tells what its world looks like.
SERVER = rb"""
use strict; use Socket;
$SIG{TERM} = sub { exit 0 };
socket(my $listener, PF_INET, SOCK_STREAM, 0);
setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
bind($listener, sockaddr_in($ENV{PORT}, INADDR_LOOPBACK)) or die "bind: $!";
listen($listener, 16);
open(my $null, ">", "/dev/null") or die "null: $!";
open(my $random, "<", "/dev/urandom") or die "urandom: $!";
open(my $scratch, ">", "/tmp/scratch") or die "tmp: $!";
while (accept(my $client, $listener)) {
    while (<$client>) { last if /^\r?$/ }
    my $body = join ";", "uid=$<", "gid=" . (split / /, $()[0], "pid=$$", "cwd=" . readlink("/proc/self/cwd"),
        "marked=" . (-e "/marked" ? 1 : 0), "host=" . (-e $ENV{HOST_FILE} ? 1 : 0), "home=$ENV{HOME}",
        "inherited=" . (exists $ENV{AWS_ENDPOINT_URL} ? 1 : 0);
    print $client "HTTP/1.1 200 OK\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
    close $client;
}
"""


@pytest.fixture
def own(ministack: str, tmp_path: Path) -> Iterator[Laptop]:
    """An App Runner for one test alone."""
    running = start_runtimes(ministack, tmp_path / "state", "--tempo", "0.04")
    yield laptop_of(ministack, tmp_path / "state", running)
    stop(running)


def whole_root() -> bytes:
    """A layer with a root file system of its own: perl, what it links to, and the server above."""
    perl = Path(shutil.which("perl") or "/usr/bin/perl")
    linked = subprocess.run(["ldd", str(perl)], capture_output=True, text=True, check=True).stdout.split()
    stream = BytesIO(layer({"srv/server.pl": SERVER, "etc/passwd": b"app:x:4321:4322::/home/app:/bin/false\n"}))
    with tarfile.open(fileobj=stream, mode="a") as archive:
        archive.dereference = True
        for path in {perl, PERL, *(Path(word) for word in linked if word.startswith("/"))}:
            archive.add(path, str(path).lstrip("/"))
    return stream.getvalue()


@pytest.mark.skipif(not PERL.is_dir() or not isolation(), reason="needs Debian's perl-base and namespaces")
def test_an_image_with_a_root_of_its_own_runs_inside_it_as_its_user(
    laptop: Laptop, registry: Registry, service_name: str, tmp_path: Path
) -> None:
    config = {"Entrypoint": ["perl", "server.pl"], "WorkingDir": "/srv", "User": "app", "Env": ["HOME=/home/app"]}
    digest = push_layers(registry, "team/web", [whole_root(), layer({"marked": b""})], config)
    (tmp_path / "host").touch()

    arn = create(laptop.client, service_name, f"{HOST}/team/web@{digest}", HOST_FILE=str(tmp_path / "host"))
    service = settled(laptop.client, arn)
    context = ssl.create_default_context(cafile=str(laptop.ca))
    said = httpx.get(f"https://{service['ServiceUrl']}/", verify=context).text

    user = "uid=4321;gid=4322" if os.geteuid() == 0 else "uid=0;gid=0"
    assert said == f"{user};pid=1;cwd=/srv;marked=1;host=0;home=/home/app;inherited=0"


@pytest.mark.skipif(not isolation(), reason="needs namespaces")
def test_what_an_instance_writes_is_gone_with_it(laptop: Laptop, image: Callable[..., str], service_name: str) -> None:
    service = settled(laptop.client, create(laptop.client, service_name, image()))
    context = ssl.create_default_context(cafile=str(laptop.ca))

    status = httpx.get(f"https://{service['ServiceUrl']}/write", verify=context).status_code

    assert status == 200
    assert list(laptop.state.glob("roots/*/app/*")) == list(laptop.state.glob("roots/*/app/code"))
    assert list(laptop.state.glob("instances/*/command.json")) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_app_runner(
    own: Laptop, image: Callable[..., str], service_name: str, number: signal.Signals
) -> None:
    settled(own.client, create(own.client, service_name, image(), MARK=service_name))
    before = processes(service_name)

    own.runtimes.process.send_signal(number)
    code = own.runtimes.process.wait(10)

    assert before
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    until(lambda: processes(service_name) + processes(str(own.state)), lambda left: not left, 5)


def test_services_come_back_at_the_same_address_with_the_same_authority(
    own: Laptop, ministack: str, image: Callable[..., str], service_name: str
) -> None:
    arn = create(own.client, service_name, image())
    before = settled(own.client, arn)
    paused = create(own.client, f"{service_name}-paused", image())
    settled(own.client, paused)
    own.client.pause_service(ServiceArn=paused)
    settled(own.client, paused)
    context = ssl.create_default_context(cafile=str(own.ca))
    stop(own.runtimes)

    again = start_runtimes(ministack, own.state)
    try:
        client = laptop_of(ministack, own.state, again).client
        url = f"https://{before['ServiceUrl']}/"
        answer = until(lambda: httpx.get(url, verify=context), lambda answer: answer.status_code == 200)

        assert answer.text == "one"
        assert client.describe_service(ServiceArn=arn)["Service"] == before
        assert client.describe_service(ServiceArn=paused)["Service"]["Status"] == "PAUSED"
    finally:
        stop(again)


def test_an_update_that_a_killed_app_runner_left_is_over_and_the_old_image_is_back(
    own: Laptop, ministack: str, image: Callable[..., str], service_name: str
) -> None:
    good = image()
    arn = create(own.client, service_name, good, healthy=10)
    settled(own.client, arn)
    own.client.update_service(ServiceArn=arn, SourceConfiguration=source(image(VERSION="two")))
    own.runtimes.process.kill()
    own.runtimes.process.wait(10)

    again = start_runtimes(ministack, own.state)
    try:
        client = laptop_of(ministack, own.state, again).client
        service = client.describe_service(ServiceArn=arn)["Service"]

        assert service["Status"] == "RUNNING"
        assert service["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"] == good
        assert client.list_operations(ServiceArn=arn)["OperationSummaryList"][0]["Status"] == "FAILED"
    finally:
        stop(again)


def test_private_keys_and_variables_are_readable_by_their_owner_alone(
    laptop: Laptop, image: Callable[..., str], service_name: str
) -> None:
    settled(laptop.client, create(laptop.client, service_name, image()))

    modes = {name: (laptop.state / name).stat().st_mode & 0o777 for name in ("ca.key", "front-door.pem", "state.json")}
    assert set(modes.values()) == {0o600}
    assert laptop.state.stat().st_mode & 0o777 == 0o700


def run(ministack: str, *options: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    environment |= {"AWS_ENDPOINT_URL": ministack} if ministack else {}
    return subprocess.run(
        [sys.executable, "-m", "sandbox.runtimes", *options],
        env=environment, input=stdin, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip


def test_a_port_that_is_taken_is_told_with_a_remedy(laptop: Laptop, ministack: str, tmp_path: Path) -> None:
    port = laptop.runtimes.endpoint.rsplit(":", 1)[1]

    done = run(ministack, "--state", str(tmp_path / "other"), "--port", port)

    assert done.returncode == 3
    assert f"listening on 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "Choose another port" in done.stderr


def test_it_never_starts_where_logs_would_go_to_the_real_aws(tmp_path: Path) -> None:
    done = run("", "--state", str(tmp_path / "other"))

    assert (done.returncode, done.stdout) == (3, "")
    assert "Set AWS_ENDPOINT_URL" in done.stderr


def test_it_ends_when_its_stdin_closes(ministack: str, tmp_path: Path) -> None:
    done = run(ministack, "--state", str(tmp_path / "state"), "--die-with-stdin", stdin="")

    assert (done.returncode, done.stdout.count("\n")) == (0, 1)


def test_secrets_are_read_when_a_service_is_deployed_and_shown_nowhere(
    laptop: Laptop, image: Callable[..., str], service_name: str
) -> None:
    keeper = boto3.client("secretsmanager", **access(laptop.endpoint))
    secret = keeper.create_secret(Name=service_name, SecretString="hidden-version")["ARN"]
    configuration = source(image())
    configuration["ImageRepository"]["ImageConfiguration"] = {"RuntimeEnvironmentSecrets": {"VERSION": secret}}

    created = laptop.client.create_service(ServiceName=service_name, SourceConfiguration=configuration)["Service"]
    service = settled(laptop.client, created["ServiceArn"])

    context = ssl.create_default_context(cafile=str(laptop.ca))
    assert httpx.get(f"https://{service['ServiceUrl']}/", verify=context).text == "hidden-version"
    assert "hidden-version" not in (laptop.state / "state.json").read_text()
    assert "hidden-version" not in laptop.state.with_suffix(".log").read_text()


def test_a_secret_that_does_not_exist_fails_the_deployment(
    laptop: Laptop, image: Callable[..., str], service_name: str
) -> None:
    configuration = source(image())
    names = {"VERSION": "arn:aws:secretsmanager:eu-west-1:000000000000:secret:none"}
    configuration["ImageRepository"]["ImageConfiguration"] = {"RuntimeEnvironmentSecrets": names}

    created = laptop.client.create_service(ServiceName=service_name, SourceConfiguration=configuration)["Service"]

    assert settled(laptop.client, created["ServiceArn"])["Status"] == "CREATE_FAILED"
