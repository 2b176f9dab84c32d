"""The first thing that runs in an instance's process: makes its surroundings, then becomes the image's program.

Started as `python -I -S enter.py FILE`; the file holds a JSON object: argv, environment, folder, root, scratch,
enclosed, namespaces, uid, gid, parent. With namespaces, writes go to an overlay that is thrown away; when
enclosed, the image's root becomes `/` with /dev, /proc and /tmp of its own. It imports nothing of the project and
never returns: it executes the program or exits with 125 and says why.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_DEVICES = ("null", "zero", "full", "random", "urandom")
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
_HOST_FILES = ("etc/resolv.conf", "etc/hosts")


def main(specification: dict[str, Any]) -> None:
    root = Path(specification["root"])
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if specification["namespaces"]:
        _overlay(root, Path(specification["scratch"]))
    if specification["enclosed"]:
        _furnish(root)
        os.chroot(root)
    Path(specification["folder"]).mkdir(parents=True, exist_ok=True)
    os.chdir(specification["folder"])
    if specification["uid"] or specification["gid"]:
        os.setgroups([])
        os.setgid(specification["gid"])
        os.setuid(specification["uid"])
    if libc:
        # Last, because a change of user clears it; whoever is orphaned before it sees it at the next line.
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if not specification["namespaces"] and os.getppid() != specification["parent"]:
        sys.exit(125)
    os.execvpe(specification["argv"][0], specification["argv"], specification["environment"])  # noqa: S606 - no shell wanted


def _overlay(root: Path, scratch: Path) -> None:
    """Everything that is written goes to `scratch`; other instances of the image never see it."""
    upper, work = scratch / "upper", scratch / "work"
    upper.mkdir(parents=True)
    work.mkdir()
    upper.chmod(0o755)
    options = f"lowerdir={root},upperdir={upper},workdir={work}"
    if _mount("-t", "overlay", "overlay", "-o", options, str(root)):
        return
    _demand("--bind", str(root), str(root))
    _demand("-o", "remount,bind,ro", str(root))


def _furnish(root: Path) -> None:
    for name in _HOST_FILES:
        if not any((root / part).is_symlink() for part in ("etc", name)) and (root / name).is_file():
            _mount("--bind", f"/{name}", str(root / name))
    for folder, mode in (("dev", "755"), ("tmp", "1777"), ("proc", "")):
        if (root / folder).is_symlink():
            sys.exit(f"entering the image: /{folder} is a symbolic link")
        (root / folder).mkdir(exist_ok=True)
        if mode:
            _demand("-t", "tmpfs", "-o", f"mode={mode},nosuid", "tmpfs", str(root / folder))
    for device in _DEVICES:
        (root / "dev" / device).touch()
        _demand("--bind", f"/dev/{device}", str(root / "dev" / device))
    for name, target in _LINKS.items():
        (root / "dev" / name).symlink_to(target)
    (root / "dev" / "shm").mkdir(mode=0o1777)
    (root / "dev" / "shm").chmod(0o1777)
    if not _mount("-t", "proc", "proc", str(root / "proc")):
        _demand("--rbind", "/proc", str(root / "proc"))


def _mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


def _demand(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"entering the image: mount {' '.join(arguments)}: {done.stderr.strip()}")


if __name__ == "__main__":
    try:
        file = Path(sys.argv[1])
        specification = json.loads(file.read_bytes())
        file.unlink()  # it holds secrets
        main(specification)
    except OSError as error:
        print(f"entering the image: {error}", file=sys.stderr)
        sys.exit(125)
