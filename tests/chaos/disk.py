"""A small disk of its own under a folder of the sandbox, which can be filled and freed.

Comes in: a folder. Goes out: a tmpfs mounted there, where this machine permits it, else a word why not. A filler
file takes all space but a rest. It never touches the disk that the folder lies on.
"""

import contextlib
import errno
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SIZE = 96 << 20  # bytes: the work folders of eleven deployments and the state of some hundred updates
_BLOCK = b"\0" * (1 << 20)


@dataclass(frozen=True)
class Disk:
    """`unusable` says why it could not be mounted, "" when it is there."""

    folder: Path
    unusable: str = ""

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"

    def fill(self, left: int) -> None:
        """Take all space but `left` bytes."""
        with self._filler.open("wb", buffering=0) as filler:
            for size in (len(_BLOCK), 4096):
                with contextlib.suppress(OSError):
                    while filler.write(_BLOCK[:size]):
                        pass
            filler.truncate(max(0, filler.tell() - left))

    def free(self) -> None:
        """Give it back."""
        self._filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Take the disk away with all that is on it."""
        if not self.unusable:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False, capture_output=True)


def mount(folder: Path) -> Disk:
    """A disk at `folder`, which is made; what was in it is there afterwards, too."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return Disk(folder, "mounting a tmpfs needs root")
    if any(folder.iterdir()):
        return Disk(folder, os.strerror(errno.ENOTEMPTY))
    argv = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "chaos", str(folder)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    return Disk(folder, done.stderr.strip() or f"mount ended with {done.returncode}" if done.returncode else "")
