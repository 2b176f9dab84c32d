"""Check: is every file of desired state one that the controller can use? Every finding, not only the first.

Comes in: files at a commit or in the work tree. Goes out: findings, also of workflows that would let a merge deploy
nothing. It asks nobody outside, and what a program says of its settings is not its business: the program is run for
that, see commands/look.py.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Protocol

from releasectl import target
from releasectl.changes import deploys, workflow
from releasectl.document import near
from releasectl.errors import ControllerError, Finding, InvalidFile
from releasectl.pipeline import (
    Pipeline,
    hold_path,
    override_path,
    parse_hold,
    parse_override,
    parse_rejection,
    rejection_path,
)
from releasectl.target import MissingFile, Reader, Target

FOLDERS = ("releases/holds", "releases/rejected", "releases/overrides")
WORKFLOWS = ".github/workflows"


class Tree(Reader, Protocol):
    """Files that can be listed, too."""

    def list(self, commit: str, folder: str) -> tuple[str, ...]:
        """Paths of all files below a folder, sorted."""


def findings(tree: Tree, commit: str) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """What is wrong, and the environments whose settings can be asked about."""
    found: list[Finding] = []
    try:
        pipeline = target.read_pipeline(tree, commit)
    except (InvalidFile, MissingFile) as error:
        return tuple(_as_findings(target.PIPELINE, error)), ()
    targets: dict[str, Target] = {}
    for environment in pipeline.environments:
        try:
            targets[environment.name] = target.read_target(tree, commit, environment.name)
        except (InvalidFile, MissingFile) as error:
            found += _as_findings(target.release_path(environment.name), error)
    services = {name: tuple(wanted.release.services) for name, wanted in targets.items()}
    # Names that a broken release file would have given are unknown, so only what is sure is told about others.
    known = {name: services.get(name, tuple(pipeline.services)) for name in _names(pipeline)}
    silent = unstarted(_files(tree, commit, WORKFLOWS), known)
    return (*found, *entries(_files(tree, commit, *FOLDERS), known), *silent), tuple(targets)


def entries(files: Mapping[str, bytes], services: Mapping[str, Iterable[str]]) -> Iterator[Finding]:
    """What is wrong with holds, rejections and overrides. `services` are those of each environment that exists."""
    for path, raw in files.items():
        name = PurePosixPath(path).name
        if name.startswith(".") or name == "README.md":
            continue
        kind = str(PurePosixPath(path).parent)
        parse, places = _KINDS.get(kind, (None, None))
        if parse is None or places is None:
            yield Finding("file", path, "nothing reads a file here", f"Move it to one of {', '.join(FOLDERS)}.")
            continue
        try:
            value = parse(path, raw)
        except InvalidFile as error:
            yield from error.findings
            continue
        possible = set(places(value, services))
        if path not in possible:
            hint = near(path, possible)
            remedy = f"Rename it to {hint}." if hint else "Rename it for an environment and a service that exist."
            yield Finding("file", path, "its name fits no environment or service, so it is in force for nobody", remedy)


def unstarted(files: Mapping[str, bytes], environments: Iterable[str]) -> Iterator[Finding]:
    """Where a merge would deploy nothing. `files` are the workflows; where there are none, GitHub starts nothing."""
    for name in environments if files else ():
        path = f"{WORKFLOWS}/{workflow(name)}"
        if path in files:
            yield from _unheard(path, files[path], name)
        else:
            other = next((PurePosixPath(each).name for each in sorted(files) if "/deploy-" in each), "the template's")
            message, remedy = (
                f"is not there, so a merge deploys nothing to {name}",
                f"Copy {other} and name {name} in it.",
            )
            yield Finding("file", path, message, remedy)


def _unheard(path: str, raw: bytes, environment: str) -> Iterator[Finding]:
    """Patterns that a workflow with `paths` has no line for: those of the old name, left in a copy."""
    lines = {line.strip(" -'\"") for line in raw.decode(errors="replace").splitlines()}
    for pattern in deploys(environment) if "paths:" in lines else ():
        if pattern not in lines:
            message = f"does not wait for {pattern}, so a merge of it deploys nothing"
            yield Finding("file", path, message, f"Write `- {pattern}` below `paths:`.")


def _holds(_value: object, services: Mapping[str, Iterable[str]]) -> Iterator[str]:
    return (hold_path(environment) for environment in services)


def _rejections(value: object, services: Mapping[str, Iterable[str]]) -> Iterator[str]:
    digest = str(getattr(value, "digest", ""))
    return (rejection_path(each, name, digest) for each, names in services.items() for name in names)


def _overrides(value: object, services: Mapping[str, Iterable[str]]) -> Iterator[str]:
    gate = str(getattr(value, "gate", ""))
    return (override_path(environment, gate) for environment in services)


Parse = Callable[[str, bytes], object]
Places = Callable[[object, Mapping[str, Iterable[str]]], Iterator[str]]
_KINDS: Mapping[str, tuple[Parse, Places]] = {
    "releases/holds": (parse_hold, _holds),
    "releases/rejected": (parse_rejection, _rejections),
    "releases/overrides": (parse_override, _overrides),
}


def _files(tree: Tree, commit: str, *folders: str) -> dict[str, bytes]:
    paths = [path for folder in folders for path in tree.list(commit, folder)]
    return {path: raw for path in paths if (raw := tree.read(commit, path)) is not None}


def _names(pipeline: Pipeline) -> tuple[str, ...]:
    return tuple(environment.name for environment in pipeline.environments)


def _as_findings(path: str, error: ControllerError) -> tuple[Finding, ...]:
    if isinstance(error, InvalidFile):
        return error.findings
    return (Finding("file", path, error.message, error.remedy),)
