"""Actions: what a job of GitHub Actions is told through files: its outputs and its summary.

Comes in: names and texts, of which the texts may be anybody's. Goes out: lines in the files that GitHub named in the
environment; nothing anywhere else. A text cannot end its own value and begin another one.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LARGEST = 1_000_000  # bytes of a step's summary; GitHub takes 1 MiB and drops what is more, all of it


@dataclass(frozen=True)
class Actions:
    """The job that we run in, as its environment's variables say; outside of one nothing is written."""

    environment: Mapping[str, str]

    def output(self, **values: str) -> None:
        """Outputs of this step."""
        for name, value in values.items():
            end = f"end-{secrets.token_hex(16)}"
            self._append("GITHUB_OUTPUT", f"{name}<<{end}\n{value}\n{end}\n")

    def summary(self, markdown: str) -> None:
        """A further part of the page that people see of this job."""
        raw = markdown.encode()[:LARGEST].decode(errors="ignore")
        self._append("GITHUB_STEP_SUMMARY", f"{raw.rstrip()}\n\n")

    def _append(self, variable: str, text: str) -> None:
        if path := self.environment.get(variable):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(text)
