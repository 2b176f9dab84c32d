"""A ministack and the runtimes for the tests of the sandbox: real processes, started once a session."""

import contextlib
import functools
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import boto3
import pytest
from mypy_boto3_apprunner.client import AppRunnerClient
from mypy_boto3_apprunner.type_defs import ServiceTypeDef, SourceConfigurationTypeDef
from mypy_boto3_cloudwatch.client import CloudWatchClient
from mypy_boto3_logs.client import CloudWatchLogsClient

from sandbox import ministack as ministack_process
from sandbox import process
from sandbox.process import Running
from sandbox.registry import Registry, digest_of
from tests.sandbox.provider_engine import Engine, client, end, start_provider

T = TypeVar("T")
REGION = "eu-west-1"
HOST = f"000000000000.dkr.ecr.{REGION}.amazonaws.com"
ROOT = Path(__file__).resolve().parents[2]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

# A service of one file: what it does wrong is told by its variables.
APP = b"""
import http.server, os, signal, sys
print("hello from", os.environ["VERSION"], flush=True)
if os.environ.get("CRASH"):
    sys.exit("boom: no database")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = 200
        if self.path == "/die":
            os._exit(7)
        wrong = {"/fail": "VERSION", "/healthz": "SICK", "/": "FAULTY"}.get(self.path, "")
        if os.environ.get(wrong):
            status = 500
        if self.path == "/write":
            open("written", "w").close()
        self.answer(status, os.environ["VERSION"].encode())
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(201, self.path.encode() + b" " + self.headers["X-Forwarded-Proto"].encode() + b" " + body)
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Pid", str(os.getpid()))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64

Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


class Access(TypedDict):
    """Arguments for a boto3 client."""

    endpoint_url: str
    region_name: str
    aws_access_key_id: str
    aws_secret_access_key: str


def access(endpoint: str) -> Access:
    """How to reach the sandbox's AWS at `endpoint`."""
    return {
        "endpoint_url": endpoint,
        "region_name": REGION,
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
    }


@dataclass(frozen=True)
class Laptop:
    """Where everything is, and clients to it."""

    endpoint: str
    runtimes: Running
    ca: Path
    state: Path
    client: AppRunnerClient

    @functools.cached_property
    def logs(self) -> CloudWatchLogsClient:
        """The sandbox's CloudWatch Logs."""
        return boto3.client("logs", **access(self.endpoint))

    @functools.cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """The sandbox's CloudWatch."""
        return boto3.client("cloudwatch", **access(self.endpoint))


def layer(files: Mapping[str, bytes]) -> bytes:
    """An uncompressed tar of regular files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def push_layers(registry: Registry, repository: str, layers: Sequence[bytes], config: Mapping[str, object]) -> str:
    """Push an OCI image of these uncompressed layers; answers the manifest's digest."""
    packed = [gzip.compress(data, compresslevel=1, mtime=0) for data in layers]
    described = {
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [digest_of(data) for data in layers]},
    }
    raw = json.dumps(described).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": registry.push_blob(repository, raw),
            "size": len(raw),
        },
        "layers": [
            {"mediaType": LAYER, "digest": registry.push_blob(repository, data), "size": len(data)} for data in packed
        ],
    }
    content = json.dumps(manifest).encode()
    return registry.push_manifest(repository, digest_of(content), content, MANIFEST)


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a running ministack."""
    running = ministack_process.start(tmp_path_factory.mktemp("ministack"))
    yield running.endpoint
    running.stop()


@pytest.fixture(scope="session")
def registry(ministack: str) -> Registry:
    """A registry with the repository `team/web`."""
    boto3.client("ecr", **access(ministack)).create_repository(repositoryName="team/web")
    return Registry(ministack)


@pytest.fixture(scope="session")
def image(registry: Registry) -> Callable[..., str]:
    """Pushes an image that holds only Python code, with these variables; answers its identifier by digest."""

    @functools.cache
    def push(**variables: str) -> str:
        environment = {"VERSION": "one", "PYTHONPATH": "/app/code", **variables}
        digest = push_layers(
            registry,
            "team/web",
            [layer({"app/code/site_of_one_file.py": APP})],
            {
                "Entrypoint": ["python", "-m", "site_of_one_file"],
                "Env": [f"{name}={value}" for name, value in environment.items()],
                "WorkingDir": "/app",
            },
        )
        return f"{HOST}/team/web@{digest}"

    return push


def start_runtimes(endpoint: str, state: Path, *options: str) -> Running:
    """A server process of its own, in the state folder that is given."""
    return process.start(
        "runtimes",
        [sys.executable, "-m", "sandbox.runtimes", "--state", str(state), *options],
        log=state.with_suffix(".log"),
        environment={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "AWS_ENDPOINT_URL": endpoint,
        },
        ready=process.ready_line,
    )


def start_cloudwatch(endpoint: str, state: Path, minute: float) -> Running:
    """The CloudWatch of alarms as a process of its own, in front of ministack."""
    return process.start(
        "cloudwatch",
        [sys.executable, "-m", "sandbox.cloudwatch", "--state", str(state), "--minute", str(minute)],
        log=state.with_suffix(".log"),
        environment={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "AWS_ENDPOINT_URL": endpoint},
        ready=process.ready_line,
    )


@pytest.fixture(scope="session")
def alarms(ministack: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a running CloudWatch, whose minutes are too long to evaluate anything."""
    running = start_cloudwatch(ministack, tmp_path_factory.mktemp("alarms") / "state", minute=3600)
    yield running.endpoint
    running.stop()


def stop(running: Running) -> None:
    """End a process and close our end of its pipe."""
    running.stop()


def laptop_of(ministack: str, state: Path, running: Running) -> Laptop:
    """The clients for the started runtimes."""
    return Laptop(
        endpoint=ministack,
        runtimes=running,
        ca=Path(str(running.ready["ca"])),
        state=state,
        client=boto3.client("apprunner", **access(running.endpoint)),
    )


@pytest.fixture(scope="session")
def laptop(ministack: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """The runtimes beside the ministack."""
    state = tmp_path_factory.mktemp("runtimes") / "state"
    running = start_runtimes(ministack, state, "--tempo", "0.04", "--minute", "0.5", "--report-seconds", "0.5")
    yield laptop_of(ministack, state, running)
    stop(running)


# Where the services are that ministack does not play, by boto3's names: what their variables are called.
SERVED = {
    "application-autoscaling": "APPLICATION_AUTO_SCALING",
    "apprunner": "APPRUNNER",
    "cloudwatch": "CLOUDWATCH",
    "ecs": "ECS",
    "elbv2": "ELASTIC_LOAD_BALANCING_V2",
}


@pytest.fixture(scope="session")
def endpoints(laptop: Laptop, alarms: str) -> dict[str, str]:
    """The runtimes', and that of CloudWatch's alarms."""
    return dict.fromkeys(SERVED, str(laptop.runtimes.endpoint)) | {"cloudwatch": alarms}


@pytest.fixture(scope="session")
def provider(laptop: Laptop, endpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a provider in front of all of them and of ministack."""
    own = {f"AWS_ENDPOINT_URL_{SERVED[service]}": endpoint for service, endpoint in endpoints.items()}
    running = start_provider(tmp_path_factory.mktemp("provider"), {"AWS_ENDPOINT_URL": laptop.endpoint, **own})
    yield int(str(running.ready["port"]))
    end(running)


@pytest.fixture
def engine(provider: int, tmp_path: Path) -> Engine:
    """A new stack."""
    return Engine(tmp_path / "engine", provider)


@pytest.fixture
def cloud(laptop: Laptop, endpoints: dict[str, str]) -> Callable[[str], Any]:
    """A client of AWS for what people do by hand."""
    return lambda service: client(endpoints.get(service, laptop.endpoint), service)


@pytest.fixture
def service_name(request: pytest.FixtureRequest) -> str:
    """A name that no other test has."""
    return "web-" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:10]


def source(image: str, **variables: str) -> SourceConfigurationTypeDef:
    """A SourceConfiguration for `image` with these variables."""
    return {
        "ImageRepository": {
            "ImageIdentifier": image,
            "ImageRepositoryType": "ECR",
            "ImageConfiguration": {"RuntimeEnvironmentVariables": variables},
        },
        "AutoDeploymentsEnabled": False,
        "AuthenticationConfiguration": {"AccessRoleArn": "arn:aws:iam::000000000000:role/access"},
    }


def create(client: AppRunnerClient, name: str, image: str, *, healthy: int = 1, **variables: str) -> str:
    """Begins to create a service with a quick health check; answers its ARN."""
    return client.create_service(
        ServiceName=name,
        SourceConfiguration=source(image, **variables),
        HealthCheckConfiguration={
            "Protocol": "HTTP",
            "Path": "/healthz",
            "Interval": 2,
            "HealthyThreshold": healthy,
            "UnhealthyThreshold": 2,
        },
    )["Service"]["ServiceArn"]


def settled(client: AppRunnerClient, arn: str) -> ServiceTypeDef:
    """The service once no operation goes on."""
    return until(
        lambda: client.describe_service(ServiceArn=arn)["Service"],
        lambda service: service["Status"] != "OPERATION_IN_PROGRESS",
    )


def until(look: Callable[[], T], good: Callable[[T], bool], seconds: float = 60.0) -> T:
    """What `look` sees once it is `good`; a failure with what it saw last when it never is."""
    deadline = time.monotonic() + seconds
    while not good(seen := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"still {seen!r} after {seconds:g} s")
        time.sleep(0.03)
    return seen


def processes(mark: str) -> list[int]:
    """The processes of this machine whose environment or command line holds `mark`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found
