"""One running copy of an image: a process group with a port, a folder and a log file of its own.

Comes in: a Command. Goes out: an Instance that can be asked whether it lives and that ends with all its children.
It runs in namespaces of its own where this machine permits it, and dies with this process even when that is
killed. It knows nothing of services, health or the front door.
"""

import asyncio
import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox.runtimes.command import CannotRun, Command

_ENTER = Path(__file__).with_name("enter.py")
_ROOTLESS = ("unshare", "--user", "--map-root-user", "--")
_TIED = ("setpriv", "--pdeathsig", "KILL", "--")
_APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--")


@dataclass(frozen=True)
class Instance:
    """A started process; its pid is its process group. `exited` ends when the process does.

    `command` is what it runs; whatever runs beside it, such as a health check of the container's own, runs like it.
    """

    id: str
    port: int
    image: str
    log: Path
    command: Command
    process: asyncio.subprocess.Process
    exited: asyncio.Task[int]

    @property
    def pid(self) -> int:
        return self.process.pid

    async def end(self, grace: float) -> None:
        """SIGTERM to the group, SIGKILL after `grace` seconds; ending twice is fine."""
        self._signal(signal.SIGTERM)
        await asyncio.wait({self.exited}, timeout=grace)
        self._signal(signal.SIGKILL)
        await self.exited
        await asyncio.to_thread(shutil.rmtree, self.log.parent / "scratch", ignore_errors=True)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


async def launch(command: Command, *, instance_id: str, port: int, image: str, folder: Path) -> Instance:
    """Start `command` with its log and scratch space in `folder`. Raises CannotRun."""
    prefix = await asyncio.to_thread(isolation)
    if command.enclosed and not prefix:
        raise CannotRun(
            f"starting `{command.argv[0]}`: the image has a root of its own, and namespaces are not permitted here",
            "Run the sandbox on Linux, as root or where user namespaces are allowed.",
        )
    specification = _prepare(folder, _specification(command, prefix, folder / "scratch"))
    log = folder / "output.log"
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            *prefix, sys.executable, "-I", "-S", str(_ENTER), str(specification),
            stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env={"PATH": os.environ.get("PATH", os.defpath)},
            cwd=folder, start_new_session=True,
        )  # fmt: skip
    exited = asyncio.create_task(process.wait())
    return Instance(instance_id, port, image, log, command, process, exited)


def _prepare(folder: Path, specification: dict[str, object]) -> Path:
    """The instance's folder with the file that `enter.py` reads; it holds secrets, so its owner alone may."""
    folder.mkdir(mode=0o700, parents=True)
    file = folder / "command.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(specification))
    return file


@functools.cache
def isolation() -> tuple[str, ...]:
    """What stands before a command to give it namespaces of its own; empty where that is not permitted."""
    for prefix in ((*_TIED, *_APART), (*_ROOTLESS, *_TIED, *_APART)):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run([*prefix, "true"], check=True, capture_output=True, timeout=10)
            return prefix
    return ()


def _specification(command: Command, prefix: tuple[str, ...], scratch: Path) -> dict[str, object]:
    mapped = prefix[: len(_ROOTLESS)] == _ROOTLESS  # only user 0 exists in there
    own_user = command.enclosed and not mapped
    return {
        "argv": command.argv,
        "environment": dict(command.environment),
        "folder": command.folder,
        "root": str(command.root),
        "scratch": str(scratch),
        "enclosed": command.enclosed,
        "namespaces": bool(prefix),
        "uid": command.uid if own_user else 0,
        "gid": command.gid if own_user else 0,
        "parent": os.getpid(),
    }
