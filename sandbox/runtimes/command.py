"""What one instance of an image executes: a pure answer from the image, the workload and the port.

Comes in: an unpacked Image, a Workload, a port, the values of its secrets. Goes out: a Command.
An image with an executable of its own runs inside its root; an image that holds only Python code (what the
sandbox's own builder makes) runs with this Python. Nothing of the caller's environment but PATH and LANG
gets through. It starts nothing.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from releasectl.errors import ControllerError
from sandbox.oci import Image, inside
from sandbox.process import LOOPBACK
from sandbox.runtimes.workload import Workload

_CONTAINER_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class CannotRun(ControllerError):
    """The image says something that cannot be executed here."""


@dataclass(frozen=True)
class Command:
    """`root` is the image's folder; with `enclosed`, `argv` and `folder` are paths inside it."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str
    root: Path
    enclosed: bool
    uid: int = 0
    gid: int = 0


def command(image: Image, workload: Workload, port: int, *, secrets: Mapping[str, str], cache: Path) -> Command:
    """How to run `image` so that it listens on `port`. Raises CannotRun; `cache` takes compiled Python."""
    argv = _argv(image, workload)
    given = {**image.environment, **workload.variables, **secrets}
    # HOST: an image made for a container listens on every interface, which on a laptop is the neighbours', too.
    basics = {"LANG": os.environ.get("LANG", "C.UTF-8"), "PORT": str(port), "HOST": LOOPBACK}
    search = given.get("PATH", _CONTAINER_PATH)
    if _found(image, argv[0], search):
        uid, gid = _identity(image)
        environment = {"HOME": "/root" if uid == 0 else "/"} | given | {"PATH": search} | basics
        return Command(argv, environment, image.working_dir, image.root, enclosed=True, uid=uid, gid=gid)
    folder = inside(image.root, image.working_dir)
    environment = given | {"PATH": os.environ.get("PATH", os.defpath)} | basics
    if "PYTHONPATH" in given:
        environment["PYTHONPATH"] = _mapped(image.root, given["PYTHONPATH"])
    environment.setdefault("PYTHONPYCACHEPREFIX", str(cache))  # the root is not to be written to
    environment.setdefault("PYTHONUNBUFFERED", "1")
    environment.setdefault("PYTHONNOUSERSITE", "1")
    # The interpreter behind the virtual environment: what the image forgot must not be found in the sandbox's.
    interpreter = str(Path(sys.executable).resolve())
    return Command((interpreter, *_python(argv)), environment, str(folder), image.root, enclosed=False)


def _argv(image: Image, workload: Workload) -> tuple[str, ...]:
    """As with containers everywhere: an entrypoint that is given drops the image's command, too."""
    if workload.entrypoint is not None:
        argv = workload.entrypoint + (workload.command or ())
    else:
        argv = image.entrypoint + (image.command if workload.command is None else workload.command)
    if not argv:
        raise CannotRun(f"starting {image.digest}: the image names no command", "Give it an entrypoint.")
    return argv


def _found(image: Image, program: str, search: str) -> bool:
    """Whether the image itself holds the program that it names."""
    if "/" in program:
        candidates = [str(PurePosixPath(image.working_dir) / program)]
    else:
        candidates = [f"{folder}/{program}" for folder in search.split(":") if folder]
    return any(inside(image.root, candidate).is_file() for candidate in candidates)


def _python(argv: tuple[str, ...]) -> tuple[str, ...]:
    if not PurePosixPath(argv[0]).name.startswith("python"):
        raise CannotRun(
            f"starting `{argv[0]}`: the image does not hold it, and it is not Python",
            "Build the image with what it executes.",
        )
    return argv[1:]


def _mapped(root: Path, paths: str) -> str:
    return os.pathsep.join(str(inside(root, path)) if path.startswith("/") else path for path in paths.split(":"))


def _identity(image: Image) -> tuple[int, int]:
    """User and group ids of the image's `User`: names are those of the image's own files."""
    user, _, group = image.user.partition(":")
    if not user:
        return 0, 0
    entry = _entry(image, "etc/passwd", user)
    if not user.isdigit() and not entry:
        raise CannotRun(f"starting {image.digest}: it has no user {user!r}", "Add the user to the image.")
    uid = int(user) if user.isdigit() else int(entry[2])
    if not group:
        return uid, int(entry[3]) if entry else 0
    named = _entry(image, "etc/group", group)
    if not group.isdigit() and not named:
        raise CannotRun(f"starting {image.digest}: it has no group {group!r}", "Add the group to the image.")
    return uid, int(group) if group.isdigit() else int(named[2])


def _entry(image: Image, path: str, wanted: str) -> list[str]:
    """The fields of the line of passwd or group that has `wanted` as its name or id, [] if none has."""
    file = inside(image.root, path)
    lines = file.read_text(errors="replace").splitlines() if file.is_file() else []
    rows = [line.split(":") for line in lines]
    return next((row for row in rows if len(row) > 3 and wanted in (row[0], row[2])), [])
