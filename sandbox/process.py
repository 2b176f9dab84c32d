"""Start one process of the sandbox and end it again.

Every part of the sandbox (ministack, App Runner, the provider) is a process of its own. Comes in: an argument
list, a log file, how to see that it is ready. Goes out: a Running that knows the process group and ends it.
Never a shell, never a port that is not on loopback.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from releasectl.errors import ControllerError

LOOPBACK = "127.0.0.1"
POLL = 0.02  # seconds between two looks whether a process is ready


class SandboxBroken(ControllerError):
    """A part of the sandbox did not start or does not answer."""


class PortInUse(ControllerError):
    """Somebody else listens on the port that was asked for."""


@dataclass(frozen=True)
class Running:
    """One started process: its pid is also its process group."""

    name: str
    process: subprocess.Popen[bytes]
    endpoint: str
    ready: Mapping[str, object]

    def stop(self, grace: float = 5.0) -> None:
        """SIGTERM to the group, SIGKILL after `grace` seconds; ending twice is fine."""
        end_group(self.process.pid, lambda: self.process.poll() is not None, grace)
        self.process.wait()


def end_group(pid: int, ended: Callable[[], bool], grace: float) -> None:
    """End the process group `pid`: politely, then not."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while not ended() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(pid, signal.SIGKILL)


def free_port(wanted: int = 0) -> int:
    """A loopback port that is free now; `wanted` if it is not 0. Raises PortInUse."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError as error:
            raise PortInUse(
                f"listening on {LOOPBACK}:{wanted}: {error.strerror}",
                "Choose another port, or leave it out and a free one is taken.",
            ) from error
        return int(probe.getsockname()[1])


def find_uv() -> str:
    """The uv beside this Python, of `make setup`, or on PATH. Raises SandboxBroken."""
    root = Path(__file__).resolve().parent.parent
    places = (Path(sys.executable).parent, root / ".tools" / "uv" / "bin")
    found = shutil.which("uv", path=os.pathsep.join(map(str, places))) or shutil.which("uv")
    if not found:
        raise SandboxBroken("looking for uv: it is not in .tools/uv nor on PATH", "Run `make setup`.")
    return found


def start(
    name: str,
    argv: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    ready: Callable[[Path], Mapping[str, object] | None],
    timeout: float = 30.0,
) -> Running:
    """Start `argv` in a session of its own and wait until `ready` gives its answer. Raises SandboxBroken.

    `ready` is asked again and again with the file of its standard output. That is a file and no pipe, because a
    sandbox outlives the process that started it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    said = log.with_suffix(".out")
    with log.open("ab") as errors, said.open("wb") as output:
        process = subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
            env=dict(environment), start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + timeout
    while (answer := ready(said)) is None and process.poll() is None and time.monotonic() < deadline:
        time.sleep(POLL)
    if answer is None:
        end_group(process.pid, lambda: process.poll() is not None, 1.0)
        process.wait()
        raise SandboxBroken(
            f"starting {name}: {_last_lines(log) or 'it said nothing'}", f"Read {log} for the whole story."
        )
    return Running(name, process, str(answer.get("endpoint", "")), answer)


def ready_line(said: Path) -> Mapping[str, object] | None:
    """Our own processes print one JSON line on stdout when they are ready."""
    line, end, _ = said.read_text().partition("\n")
    if not end:
        return None
    answer: Mapping[str, object] = json.loads(line)
    return answer


def _last_lines(log: Path, count: int = 5) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
