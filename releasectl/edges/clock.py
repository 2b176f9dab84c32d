"""Time, and who we are on this host.

Goes out: now in UTC, a wait, and the holder of a deployment by which another controller can tell whether we live.
"""

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from releasectl.record import Holder


@dataclass(frozen=True)
class Clock:
    """The host's clock."""

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def holder(environment: Mapping[str, str], folder: Path) -> Holder:
    """This process, with its work folders: a pid means something only together with the host and its boot."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return Holder(
        host=socket.gethostname(),
        boot=boot.read_text().strip() if boot.exists() else "",
        pid=os.getpid(),
        run=_run(environment),
        folder=str(folder),
    )


def _run(environment: Mapping[str, str]) -> str:
    """The URL of the attempt of a GitHub Actions run, "" elsewhere: a second attempt is another controller."""
    keys = ("SERVER_URL", "REPOSITORY", "RUN_ID", "RUN_ATTEMPT")
    server, repository, run, attempt = (environment.get(f"GITHUB_{key}", "") for key in keys)
    if not run:
        return ""
    return f"{server}/{repository}/actions/runs/{run}{f'/attempts/{attempt}' if attempt else ''}"
