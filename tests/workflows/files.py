"""The workflows as data: what GitHub would read, and the comments that it would not.

Comes in: texts by their path in the project. Goes out: workflows with their jobs and steps. Every scalar is text, as
it is written: `on` is no truth and `3.10` no number. It judges nothing; the modules of policies beside it do.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]
PINS = ".github/action-pins.tsv"
_WORKFLOW = re.compile(r"\.github/workflows/[^/]+\.ya?ml")
_ACTION = re.compile(r"\.github/actions/.+/action\.ya?ml")


@dataclass(frozen=True)
class Scalar:
    """One value, the keys that lead to it, and the comment behind it, "" for none."""

    keys: tuple[str, ...]
    value: str
    comment: str


@dataclass(frozen=True)
class Job:
    """One job of a workflow; a composite action counts as one, too."""

    path: str
    name: str
    data: Mapping[str, Any]

    @property
    def place(self) -> str:
        """For messages."""
        return f"{self.path} {self.name}"

    @property
    def calls(self) -> str:
        """The workflow that it calls, "" where it has steps of its own."""
        return str(self.data.get("uses", ""))

    @property
    def steps(self) -> tuple[Mapping[str, Any], ...]:
        """Its steps, none where it calls a workflow."""
        return tuple(self.data.get("steps", ()))

    @property
    def scripts(self) -> tuple[str, ...]:
        """What its steps give to a shell."""
        return tuple(str(step["run"]) for step in self.steps if "run" in step)

    @property
    def needs(self) -> tuple[str, ...]:
        """The jobs that it waits for."""
        needs = self.data.get("needs", [])
        return (needs,) if isinstance(needs, str) else tuple(needs)

    @property
    def permissions(self) -> Mapping[str, str]:
        """What it is given; {} also where it says nothing."""
        given = self.data.get("permissions", {})
        return given if isinstance(given, dict) else {"every": str(given)}


@dataclass(frozen=True)
class File:
    """A workflow or a composite action."""

    path: str
    text: str

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """All of it."""
        loaded = yaml.load(self.text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes texts, lists and mappings alone
        return loaded if isinstance(loaded, dict) else {}

    @cached_property
    def events(self) -> Mapping[str, Mapping[str, Any]]:
        """What starts it, with the filters of each."""
        told = self.data.get("on", {})
        names = [told] if isinstance(told, str) else told
        return {name: (told[name] or {}) if isinstance(told, dict) else {} for name in names}

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """Its jobs."""
        jobs = self.data.get("jobs") or {}
        if "runs" in self.data:
            jobs = {"action": self.data["runs"]}
        return tuple(Job(self.path, name, data) for name, data in jobs.items())

    @cached_property
    def scalars(self) -> tuple[Scalar, ...]:
        """Every value in the order of the file."""
        return tuple(_scalars(yaml.compose(self.text, Loader=yaml.BaseLoader), self.text.splitlines(), ()))

    def inputs(self, event: str) -> Mapping[str, Mapping[str, Any]]:
        """What it takes when it is called or started by hand."""
        return dict(self.events.get(event, {}).get("inputs", {}))


@dataclass(frozen=True)
class Project:
    """Texts by path, and which other paths there are."""

    texts: Mapping[str, str]
    paths: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def workflows(self) -> tuple[File, ...]:
        """All workflows."""
        return tuple(File(path, text) for path, text in self.texts.items() if _WORKFLOW.fullmatch(path))

    @cached_property
    def files(self) -> tuple[File, ...]:
        """All workflows and composite actions."""
        actions = (File(path, text) for path, text in self.texts.items() if _ACTION.fullmatch(path))
        return (*self.workflows, *actions)

    @property
    def jobs(self) -> Iterator[Job]:
        """The jobs of all workflows."""
        return (job for workflow in self.workflows for job in workflow.jobs)

    @property
    def pins(self) -> tuple[tuple[str, ...], ...]:
        """The rows of the table: action, version, commit."""
        return tuple(tuple(line.split("\t")) for line in self.texts.get(PINS, "").splitlines())

    def file(self, path: str) -> File | None:
        """The workflow or action at a path."""
        return next((file for file in self.files if file.path == path), None)

    def called(self, uses: str) -> File | None:
        """What a job or step of ours uses of ours: a workflow's file, or an action's folder."""
        path = re.sub(r"^(\$|[\w.-]+/[\w.-]+(?=/\.github/workflows/))/|@.*$", "", uses)
        return self.file(path) or self.file(f"{path}/action.yml")


def ours() -> Project:
    """The project as it lies here: what git knows or would add."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    told = subprocess.run(asked, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    paths = [path for path in told.splitlines() if (PROJECT / path).is_file()]
    texts = {path: (PROJECT / path).read_text(encoding="utf-8") for path in paths if path.startswith(".github/")}
    return Project(texts, frozenset(paths))


def _scalars(node: yaml.Node | None, lines: list[str], keys: tuple[str, ...]) -> Iterator[Scalar]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(value, lines, (*keys, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _scalars(value, lines, (*keys, str(number)))
    elif isinstance(node, yaml.ScalarNode):
        end = node.end_mark
        line = lines[end.line] if end.line < len(lines) else ""
        found = re.fullmatch(r"\s+#\s*(.+)", line[end.column :])
        yield Scalar(keys, str(node.value), found[1] if found else "")
