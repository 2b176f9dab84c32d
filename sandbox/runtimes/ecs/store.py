"""What ECS remembers, in memory and in one JSON file.

Comes in: new values. Goes out: the values of before, also after a restart. The file is replaced as a whole, so it
is the old state or the new one; it is readable by its owner alone, because it holds environment variables.
"""

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from sandbox.runtimes.ecs.values import Cluster, Revision, Rollout, Service, Task, TaskDefinition

_STOPPED_KEPT = 20  # tasks of a service that have ended; AWS shows them for an hour


@dataclass
class State:
    """Everything by its ARN, in the order in which it was made."""

    clusters: dict[str, Cluster] = field(default_factory=dict)
    definitions: dict[str, TaskDefinition] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    revisions: dict[str, Revision] = field(default_factory=dict)
    rollouts: dict[str, Rollout] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)


class Store(State):
    """Call `save` after a change."""

    def __init__(self, path: Path) -> None:
        self._path, self._form = path, TypeAdapter(State)
        kept = self._form.validate_json(path.read_bytes()) if path.exists() else State()
        super().__init__(**vars(kept))

    def save(self) -> None:
        state = State(**{name: getattr(self, name) for name in State.__dataclass_fields__})
        fresh = self._path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(self._form.dump_json(state))
        fresh.replace(self._path)

    def rollouts_of(self, service: str) -> list[Rollout]:
        """Newest first."""
        return [each for each in reversed(self.rollouts.values()) if each.service == service]

    def tasks_of(self, service: str) -> list[Task]:
        """Newest first."""
        return [each for each in reversed(self.tasks.values()) if each.service == service]

    def keep_task(self, task: Task) -> None:
        """Remember `task`, and forget those that ended long ago."""
        self.tasks[task.arn] = task
        for old in [each for each in self.tasks_of(task.service) if each.status == "STOPPED"][_STOPPED_KEPT:]:
            del self.tasks[old.arn]
        self.save()
