"""The JSON schemas of the release file and of pipeline.yaml, for editors and for readers.

Comes in: the same types that the controller validates with. Goes out: `docs/*.schema.json`, written by
`python -m releasectl.schemas`; with `--check` nothing is written and a stale file ends it with exit code 1. The
schemas say what one value may be; how values fit together is said by the parsers alone.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from releasectl import generated
from releasectl.generated import DOCS
from releasectl.pipeline import Pipeline
from releasectl.release import Release

_MODELS: dict[str, type] = {"pipeline.schema.json": Pipeline, "release.schema.json": Release}


def schema(model: type) -> dict[str, Any]:
    """The JSON schema of a model, draft 2020-12, in which no key is allowed that the model does not have."""
    generated = TypeAdapter(model).json_schema()
    _close(generated)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | generated


def texts() -> dict[str, str]:
    """File name in `docs/` -> the text that belongs there."""
    return {name: json.dumps(schema(model), indent=2) + "\n" for name, model in _MODELS.items()}


def main(arguments: list[str], folder: Path = DOCS) -> int:
    """Writes the schemas into `folder`, or only compares them; 1 if that finds a stale one."""
    return generated.main("releasectl.schemas", arguments, {folder / name: text for name, text in texts().items()})


def _close(part: object) -> None:
    """Forbids further keys wherever keys are listed; drops the titles, which only repeat the keys."""
    if isinstance(part, list):
        for child in part:
            _close(child)
    if isinstance(part, dict):
        if part.get("type") == "object":
            part.setdefault("additionalProperties", False)
        if isinstance(part.get("title"), str):
            del part["title"]
        for child in part.values():
            _close(child)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
