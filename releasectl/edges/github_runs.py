"""Runs of GitHub Actions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from releasectl.errors import ControllerError


@dataclass(frozen=True)
class GithubRuns:
    """Nobody is asked yet."""

    environment: Mapping[str, str]

    def ended(self, run: str) -> datetime | None:
        """When the run ended."""
        raise ControllerError(f"asking for {run}: it cannot be asked", "Look at the run.")
