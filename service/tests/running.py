"""Starts the real service as a process of its own and talks to it; whatever starts here also ends here."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

SOURCE = Path(__file__).parents[1] / "src"
PATIENCE = 20  # seconds until a test gives up waiting; a healthy run needs a fraction of one


@dataclass
class Service:
    process: subprocess.Popen[bytes]
    url: str
    log: Path
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=PATIENCE, trust_env=False))

    def get(self, path: str) -> httpx.Response:
        """A request over a connection of its own, as a load balancer's probe is."""
        return self.http.get(self.url + path, headers={"Connection": "close"})

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]

    def ended(self) -> int:
        return self.process.wait(PATIENCE)


@contextmanager
def service(folder: Path, variables: Mapping[str, str], argv: Sequence[str] = ("-m", "web")) -> Iterator[Service]:
    """The service on a free port with exactly these variables. Its log is a file: a full pipe cannot stop it."""
    port = _free_port()
    environ = {"PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1", "PORT": str(port), **variables}
    log = folder / "service.log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, *argv], stdout=output, stderr=output, env=environ, cwd=folder)
    running = Service(process, f"http://127.0.0.1:{port}", log)
    try:
        with running.http:
            yield running
    finally:
        process.kill()
        process.wait()


def until_it_answers(running: Service) -> None:
    """Waits for /version; fails at once with the log if the process ends."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert running.process.poll() is None, running.log.read_text("utf-8")
        try:
            running.get("/version")
        except httpx.TransportError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(running.log.read_text("utf-8"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
