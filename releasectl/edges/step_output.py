"""The outputs of a step of GitHub Actions: what the jobs after it are told.

Comes in: names and texts, of which the texts may be anybody's. Goes out: lines of the file that GITHUB_OUTPUT names;
nothing elsewhere. A text cannot end its own value and begin another one.
"""

import secrets
from collections.abc import Mapping
from pathlib import Path


def outputs(environment: Mapping[str, str], **values: str) -> None:
    """Add them; `environment` is the process's."""
    name = environment.get("GITHUB_OUTPUT", "")
    if not name:
        return
    with Path(name).open("a", encoding="utf-8") as file:
        for key, value in values.items():
            end = f"end-{secrets.token_hex(16)}"
            file.write(f"{key}<<{end}\n{value}\n{end}\n")
