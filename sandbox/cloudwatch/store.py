"""What CloudWatch remembers: alarms, their tags, their history, metric data and messages that are still to be sent.

Comes in: new values. Goes out: the values of before, also after a restart. The file is replaced as a whole, so it is
the old state or the new one.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from sandbox.cloudwatch import history
from sandbox.cloudwatch.alarm import Alarm
from sandbox.cloudwatch.metrics import Metrics


@dataclass(frozen=True)
class Message:
    """What one action of one transition says."""

    alarm: Alarm
    action: str
    subject: str
    text: str


class Store:
    """`alarms` by name, `tags` by name and key, `outbox` oldest first. Call `save` after a change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        kept = json.loads(path.read_bytes()) if path.exists() else {}
        self.alarms = {name: Alarm(**entry) for name, entry in kept.get("alarms", {}).items()}
        self.tags: dict[str, dict[str, str]] = kept.get("tags", {})
        self.history: list[history.Item] = kept.get("history", [])
        self.outbox = [Message(**{**entry, "alarm": Alarm(**entry["alarm"])}) for entry in kept.get("outbox", [])]
        self.metrics = Metrics()
        self.metrics.restore(kept.get("metrics", []))

    def note(self, item: history.Item) -> None:
        """One more item of history; the oldest is forgotten."""
        self.history = [*self.history[1 - history.KEPT :], item]

    def save(self) -> None:
        content = {
            "alarms": {name: dataclasses.asdict(alarm) for name, alarm in self.alarms.items()},
            "tags": self.tags,
            "history": self.history,
            "outbox": [dataclasses.asdict(message) for message in self.outbox],
            "metrics": self.metrics.kept(),
        }
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(content))
        fresh.replace(self._path)
