"""Processes of one run: who belongs to it, and whether anything of it is left.

Comes in: a mark, given to a run as a variable of its environment, which everything that it starts inherits. Goes
out: living processes with that mark. It reads /proc, so the campaign is for Linux. It ends nothing by name.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MARK = "CHAOS_RUN"
RELEASECTL = str(Path(sys.executable).with_name("releasectl"))


@dataclass(frozen=True)
class Process:
    """A living process."""

    pid: int
    argv: tuple[str, ...]

    @property
    def is_worker(self) -> bool:
        """Is it the controller's worker?"""
        return any(word.endswith("edges/worker.py") for word in self.argv)

    @property
    def is_engine(self) -> bool:
        """Is it the engine?"""
        return bool(self.argv) and Path(self.argv[0]).name == "pulumi"

    def __str__(self) -> str:
        return f"{self.pid} {' '.join(self.argv)[:160]}"


@dataclass(frozen=True)
class Run:
    """A started command; its pid is its process group."""

    mark: str
    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    @property
    def said(self) -> str:
        """All that it said so far."""
        return self.out.read_text(errors="replace") + self.err.read_text(errors="replace")


def start(argv: Sequence[str], *, name: str, folder: Path, clone: Path, environment: Mapping[str, str]) -> Run:
    """Start a command in a clone, marked, with its words in files of `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    out, err, mark = folder / f"{name}.out", folder / f"{name}.err", f"{folder}:{name}"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            list(argv), cwd=clone, env={**environment, MARK: mark}, stdin=subprocess.DEVNULL, stdout=stdout,
            stderr=stderr, start_new_session=True,
        )  # fmt: skip
    return Run(mark, process, out, err)


def marked(prefix: str) -> tuple[Process, ...]:
    """Every living process whose mark begins so."""
    wanted = f"{MARK}={prefix}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        # A process may end while it is read, and a zombie has no environment.
        with contextlib.suppress(OSError):
            if any(one.startswith(wanted) for one in (entry / "environ").read_bytes().split(b"\0")):
                argv = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                found.append(Process(int(entry.name), tuple(argv[:-1])))
    return tuple(found)


def send(pid: int, name: str, *, group: bool = False) -> bool:
    """A signal by its short name; False when nobody is there any more."""
    number = signal.Signals[f"SIG{name}"]
    try:
        if group:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
