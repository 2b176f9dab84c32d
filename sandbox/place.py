"""One sandbox: its processes, its folder, and the environment variables that lead to it.

Comes in: a state folder. Goes out: ministack, the runtimes, CloudWatch's alarms, the provider and the registry's door
on free loopback ports, a remote with the project in it, and the variables by which any client of AWS or of images,
git and pulumi find them. Several stand side by side, each in its own folder. `down` ends what `up` started, by
process id, and removes the folder.
"""

import functools
import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import certifi

from sandbox import ministack, remote
from sandbox.process import LOOPBACK, Running, SandboxBroken, end_group, free_port, ready_line, start
from sandbox.runtimes.certificates import certificates

REGION = "eu-west-1"
PASSPHRASE = "sandbox"  # noqa: S105 - it protects nothing: no secret ever enters a sandbox's state
MARK = "sandbox.json"
_PARTS = ("runtimes", "cloudwatch", "provider", "registry_door")  # ours, beside ministack
MINUTE = 1.0  # seconds that stand for a minute of AWS: metrics are reported so often, and alarms count in it
_FOR_CLIENTS = ("SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy")


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox. `variables` are all that a client needs; `clone` is where a person works."""

    folder: Path
    variables: Mapping[str, str]
    processes: Mapping[str, int]
    children: tuple[Running, ...] = ()  # the same processes, where this very process started them

    @property
    def remote(self) -> Path:
        """The bare repository that plays the forge."""
        return self.folder / "remote.git"

    @property
    def clone(self) -> Path:
        """A clone of it, ready to work in."""
        return self.folder / "clone"

    def tls(self) -> ssl.SSLContext:
        """What trusts the sandbox's own authority beside everybody's."""
        return ssl.create_default_context(cafile=self.variables["SSL_CERT_FILE"])

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment with the sandbox's variables, and without any account of the person."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))}
        return kept | dict(self.variables)


def up(folder: Path, project: Path, port: int = 0) -> Sandbox:
    """Start a sandbox in `folder`, which must be new or empty; `port` is for AWS. Raises SandboxBroken, PortInUse."""
    if folder.exists() and any(folder.iterdir()):
        raise SandboxBroken(
            f"starting a sandbox in {folder}: the folder is not empty",
            f"Run `python -m sandbox down --state {folder}` first, or name another folder.",
        )
    ports = {"aws": free_port(port)} | {name: free_port() for name in _PARTS}
    (folder / "state").mkdir(parents=True)
    folder = folder.resolve()
    running: list[Running] = []
    try:
        _start_all(folder, project, ports, running)
    except BaseException:
        for part in running:
            part.stop()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    processes = {part.name: part.process.pid for part in running}
    sandbox = Sandbox(folder, _variables(folder, ports), processes, tuple(running))
    (folder / MARK).write_text(json.dumps({"variables": sandbox.variables, "processes": sandbox.processes}, indent=2))
    return sandbox


def find(folder: Path) -> Sandbox:
    """The sandbox that stands in `folder`. Raises SandboxBroken."""
    try:
        said = json.loads((folder / MARK).read_text())
    except FileNotFoundError as error:
        raise SandboxBroken(
            f"looking for a sandbox in {folder}: there is none", f"Start one: python -m sandbox up --state {folder}"
        ) from error
    return Sandbox(folder.resolve(), said["variables"], said["processes"])


def down(sandbox: Sandbox) -> None:
    """End the processes and remove the folder: no trace is left."""
    for child in sandbox.children:
        child.stop()
    for name, pid in sandbox.processes.items():
        if not sandbox.children and _is_ours(name, pid):
            end_group(pid, functools.partial(_has_ended, pid), 5.0)
    shutil.rmtree(sandbox.folder)


def _start_all(folder: Path, project: Path, ports: Mapping[str, int], running: list[Running]) -> None:
    """All parts at once: each needs the others' addresses, none needs the others to be up."""
    # The parts themselves talk to loopback over plain HTTP: neither the roots nor the proxy are for them.
    everything = os.environ | _variables(folder, ports)
    environment = {name: value for name, value in everything.items() if name not in _FOR_CLIENTS}
    state = folder / "runtimes"
    state.mkdir(mode=0o700)
    authority = certificates(state).authority  # made before the parts that share it
    (folder / "roots.pem").write_text(Path(certifi.where()).read_text() + authority.read_text())
    door = ["--registry", environment["AWS_ENDPOINT_URL"], "--authority", str(authority)]
    door += ["--key", str(authority.with_suffix(".key"))]
    watch = ["--state", str(folder / "cloudwatch"), "--minute", str(MINUTE)]
    with ThreadPoolExecutor(6) as pool:
        remote_made = pool.submit(remote.make, folder, project)
        parts = [
            pool.submit(ministack.start, folder, ports["aws"]),
            pool.submit(_part, "runtimes", ports, ["--state", str(state)], folder=folder, environment=environment),
            pool.submit(_part, "cloudwatch", ports, watch, folder=folder, environment=environment),
            pool.submit(_part, "provider", ports, [], folder=folder, environment=environment),
            pool.submit(_part, "registry_door", ports, door, folder=folder, environment=environment),
        ]
        # Whatever started has to be known before the first failure is raised: the caller ends it.
        running.extend(part.result() for part in parts if part.exception() is None)
        for part in parts:
            part.result()
        remote_made.result()


def _part(
    name: str, ports: Mapping[str, int], arguments: list[str], *, folder: Path, environment: Mapping[str, str]
) -> Running:
    argv = [sys.executable, "-m", f"sandbox.{name}", "--port", str(ports[name]), *arguments]
    return start(name, argv, log=folder / f"{name}.log", environment=environment, ready=ready_line)


def _variables(folder: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """The ordinary variables of AWS's clients, of TLS and of pulumi: whoever has them works in the sandbox."""
    runtimes = f"http://{LOOPBACK}:{ports['runtimes']}"
    proxy, direct = f"http://{LOOPBACK}:{ports['registry_door']}", f"{LOOPBACK},localhost"
    return {
        "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{ports['aws']}",
        "AWS_ENDPOINT_URL_APPRUNNER": runtimes,
        "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING": runtimes,
        "AWS_ENDPOINT_URL_ECS": runtimes,
        "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": runtimes,
        "AWS_ENDPOINT_URL_CLOUDWATCH": f"http://{LOOPBACK}:{ports['cloudwatch']}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        # A profile of the person must not lead out of the sandbox.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SSL_CERT_FILE": str(folder / "roots.pem"),
        # The host names of ECR lead to the registry, all else on HTTPS nowhere. Tools differ in which case they read.
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "NO_PROXY": direct,
        "no_proxy": direct,
        "PULUMI_DEBUG_PROVIDERS": f"aws:{ports['provider']}",
        # Without it every operation after the first spends 2.5 s trying to download the plugin (measured).
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_HOME": str(folder / "pulumi-home"),
    }


def _is_ours(name: str, pid: int) -> bool:
    """A pid may belong to somebody else by now: its command line must still be ours."""
    done = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return name in done.stdout


def _has_ended(pid: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return not done.stdout.strip() or done.stdout.startswith("Z")
