"""The AWS that fits on a laptop: ministack, from a tool environment of its own.

Comes in: a folder for its log, a port or 0. Goes out: a running process with ECR (and its registry API),
SNS, CloudWatch, Logs, IAM and STS on loopback. Its pins (`ministack.txt`, with hashes) never reach the
project's lock: it wants a botocore of its own. It never listens beyond loopback.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from sandbox.process import LOOPBACK, Running, SandboxBroken, find_uv, free_port
from sandbox.process import start as start_process

REGION = "eu-west-1"  # of the sandbox
PINS = Path(__file__).with_name("ministack.txt")


def start(state: Path, port: int = 0) -> Running:
    """Start ministack and wait until it answers. Raises PortInUse, SandboxBroken."""
    chosen = free_port(port)
    endpoint = f"http://{LOOPBACK}:{chosen}"
    running = start_process(
        "ministack",
        [str(prepare() / "bin" / "ministack")],
        log=state / "ministack.log",
        environment={
            "PATH": os.environ.get("PATH", os.defpath),
            "GATEWAY_PORT": str(chosen),
            "BIND_HOST": LOOPBACK,
            "TMPDIR": str(_folder(state / "ministack")),
            "LOG_LEVEL": "WARNING",
            "PYTHONUNBUFFERED": "1",
        },
        ready=functools.partial(_answers, endpoint),
    )
    _lead_to_the_internet(endpoint)
    return running


def _lead_to_the_internet(endpoint: str) -> None:
    """AWS's default VPC has a route to its internet gateway; ministack's has the gateway and no route."""
    route = {"Action": "CreateRoute", "RouteTableId": "rtb-00000001", "DestinationCidrBlock": "0.0.0.0/0"}
    scope = f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/ec2/aws4_request, SignedHeaders=host, Signature=0"
    done = httpx.post(
        endpoint, data=route | {"GatewayId": "igw-00000001"}, headers={"Authorization": scope}, trust_env=False
    )
    done.raise_for_status()


def prepare() -> Path:
    """The tool environment, made once a machine and once for each set of pins. Raises SandboxBroken."""
    pins = hashlib.sha256(PINS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "release-controller"
    environment = home / f"ministack-{pins}"
    if not (environment / "ready").exists():
        _make(environment)
    return environment


def _make(environment: Path) -> None:
    print("sandbox: preparing ministack, once for this machine", file=sys.stderr)
    uv = find_uv()
    fresh = environment.with_name(f"{environment.name}.{os.getpid()}")
    # Two sandboxes may start at once: each builds its own folder, the first rename wins.
    for argv in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(fresh)],
        [uv, "pip", "install", "--quiet", "--require-hashes", "--python", str(fresh), "-r", str(PINS)],
    ):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SandboxBroken(
                f"preparing ministack with `{' '.join(argv)}`: {done.stderr.strip()}",
                "Check the connection to the package index, then run `make setup`.",
            )
    launcher = fresh / "bin" / "ministack"
    # The launcher names the folder it was made in; it is about to be renamed.
    launcher.write_text(launcher.read_text().replace(str(fresh), str(environment)))
    (fresh / "ready").touch()
    try:
        fresh.rename(environment)
    except OSError:
        shutil.rmtree(fresh)


def _answers(endpoint: str, _said: Path) -> Mapping[str, object] | None:
    try:
        # trust_env: a shell may still have another sandbox's certificates or proxy in its variables.
        httpx.get(f"{endpoint}/_ministack/health", timeout=1.0, trust_env=False).raise_for_status()
    except httpx.HTTPError:
        return None
    return {"endpoint": endpoint}


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
