"""What App Runner remembers: services, scaling configurations and tags, in memory and in one JSON file.

Comes in: new values. Goes out: the values of before, also after a restart. The file is replaced as a whole, so it
is the old state or the new one; it is readable by its owner alone, because it holds environment variables.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

from sandbox.runtimes.app_runner.values import Configuration, Operation, Scaling, Service


class Store:
    """`services` and `scalings` by ARN, `tags` by ARN and key. Call `save` after a change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        kept = json.loads(path.read_bytes()) if path.exists() else {}
        self.services = {arn: _service(entry) for arn, entry in kept.get("services", {}).items()}
        self.scalings = {arn: Scaling(**entry) for arn, entry in kept.get("scalings", {}).items()}
        self.tags: dict[str, dict[str, str]] = kept.get("tags", {})

    def save(self) -> None:
        content = {
            "services": {arn: dataclasses.asdict(service) for arn, service in self.services.items()},
            "scalings": {arn: dataclasses.asdict(scaling) for arn, scaling in self.scalings.items()},
            "tags": self.tags,
        }
        fresh = self._path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(content))
        fresh.replace(self._path)


def _service(entry: dict[str, Any]) -> Service:
    serving = entry["serving"]
    return Service(
        **entry
        | {
            "shown": Configuration(**entry["shown"]),
            "serving": Configuration(**serving) if serving else None,
            "operations": tuple(Operation(**operation) for operation in entry["operations"]),
        }
    )
