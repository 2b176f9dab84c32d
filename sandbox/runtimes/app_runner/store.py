"""What App Runner remembers: services, what stands around them, and tags, in memory and in one JSON file.

Comes in: new values. Goes out: the values of before, also after a restart. The file is replaced as a whole, so it
is the old state or the new one; it is readable by its owner alone, because it holds environment variables.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sandbox.runtimes.app_runner.values import Configuration, Operation, Scaling, Service
from sandbox.runtimes.refusal import Refusal


class Store:
    """`services` and `scalings` by ARN, `tags` by ARN and key. Call `save` after a change.

    `more` is what is kept as AWS tells it, by ARN; `domains` are the custom ones, by their service's ARN.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        kept = json.loads(path.read_bytes()) if path.exists() else {}
        self.services = {arn: _service(entry) for arn, entry in kept.get("services", {}).items()}
        self.scalings = {arn: Scaling(**entry) for arn, entry in kept.get("scalings", {}).items()}
        self.more: dict[str, dict[str, Any]] = kept.get("more", {})
        self.domains: dict[str, list[dict[str, Any]]] = kept.get("domains", {})
        self.tags: dict[str, dict[str, str]] = kept.get("tags", {})

    def keep(self, arn: str, entry: dict[str, Any], tags: Iterable[Mapping[str, str]] | None = None) -> None:
        """Keep one of `more`; `tags` are those that it is made with."""
        self.more[arn] = entry
        if tags is not None:
            self.tags[arn] = {tag["Key"]: tag.get("Value", "") for tag in tags}
        self.save()

    def one(self, arn: str, prefix: str, called: str) -> dict[str, Any]:
        """One of `more`, of the kind that `prefix` says. Raises Refusal."""
        if arn not in self.more or not arn.startswith(prefix):
            raise Refusal("ResourceNotFoundException", f"{called} not found: {arn}")
        return self.more[arn]

    def save(self) -> None:
        content = {
            "services": {arn: dataclasses.asdict(service) for arn, service in self.services.items()},
            "scalings": {arn: dataclasses.asdict(scaling) for arn, scaling in self.scalings.items()},
            "more": self.more,
            "domains": self.domains,
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
