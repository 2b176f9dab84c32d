"""The summary of a step of GitHub Actions: Markdown that people see on the page of the run.

Comes in: a text. Goes out: one more part of the file that GITHUB_STEP_SUMMARY names; nothing elsewhere. A file that
cannot be written is said as progress and stops nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StepSummary:
    """`environment` is the process's."""

    environment: Mapping[str, str]
    say: Callable[[str], None]

    def add(self, text: str) -> None:
        """Append it."""
        name = self.environment.get("GITHUB_STEP_SUMMARY", "")
        if not name:
            return
        try:
            with Path(name).open("a", encoding="utf-8") as file:
                file.write(f"{text.rstrip()}\n\n")
        except OSError as error:
            self.say(f"writing the step's summary to {name}: {error.strerror or error}")
