"""pipeline.yaml, and the small files that stop or allow one thing: holds, rejections, overrides.

Comes in: the bytes of a file. Goes out: a frozen value, or InvalidFile with every finding. This is policy: the
environments in order and what lies between them. None of it is part of a release, and nothing is decided here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from releasectl import document, freeze
from releasectl.account import APPROVED, BOT
from releasectl.document import Path, near, shown, wrong
from releasectl.errors import ControllerError, Retry
from releasectl.freeze import Freeze
from releasectl.release import Commit, Digest, ServiceName, moment

Gate = Literal["provenance", "vulnerabilities"]  # those a pipeline may switch on; all others are always on
Passable = Literal["hold", "freeze", "soak", "vulnerabilities"]  # those an override may let a release pass
Rollback = Literal["commit", "pull-request", "off"]
Tags = Literal["propose", "release", "off"]  # what a tag such as v1.4.0 does to an environment that promotes

_DURATION = re.compile(r"([0-9]{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")


class UnknownEnvironment(ControllerError):
    """Somebody named an environment that pipeline.yaml does not have.

    Why: A typing error, or an environment that is not on main yet.
    Do: Name one of those that the message lists, or add it to `pipeline.yaml`.
    """

    exit_code = 2
    retry = Retry.AFTER_CHANGE


def _duration(value: object) -> timedelta:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise wrong(f"is {shown(value)}, which is no duration", "Write one such as `30m`, `1h`, `2d` or `0s`.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _schema(number: int) -> int:
    if number != 1:
        raise wrong(f"is {number}, a form that this version does not know", "Write `schema: 1`.")
    return number


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise wrong("names something twice", "Delete the repetition.")
    return names


def _repository(text: str) -> str:
    if text and not _REPOSITORY.fullmatch(text):
        remedy = 'Write `owner/name`, or `""` for the repository that holds this file.'
        raise wrong(f"is {shown(text)}, which is no repository on GitHub", remedy)
    return text


def _folder(text: str) -> str:
    parts = text.split("/")
    if not text.isprintable() or "\\" in text or (text != "." and {"", ".", ".."} & set(parts)):
        raise wrong(f"is {shown(text)}, no folder inside the repository", "Write a relative path such as `service`.")
    return text


def _moment(value: object) -> datetime:
    return moment(value if isinstance(value, str) else repr(value))


def _given(text: str) -> str:
    if not text:
        raise wrong("is empty", "Write it; this file makes no sense without.")
    return text


def _identity(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        remedy = "Copy the release's identity, 64 hex characters; `releasectl status` shows it."
        raise wrong(f"is {shown(text)}, which is no identity of a release", remedy)
    return text


SchemaNumber = Annotated[int, AfterValidator(_schema), WithJsonSchema({"type": "integer", "const": 1})]
Duration = Annotated[
    timedelta,
    PlainValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$"}),
]
Moment = Annotated[datetime, PlainValidator(_moment)]
Text = Annotated[str, Field(max_length=2000), AfterValidator(_given)]
Repository = Annotated[
    str, AfterValidator(_repository), WithJsonSchema({"type": "string", "pattern": f"^({_REPOSITORY.pattern})?$"})
]


@dataclass(frozen=True)
class Environment:
    """One place where services run and the policy before it.

    `promotes_from` is "" for the first one; `watch` is how long a released service has to be well to be proven;
    `deadline` is how long one update may take before its engine is asked to stop.
    """

    name: ServiceName
    soak: Duration
    gates: Annotated[tuple[Gate, ...], AfterValidator(_once), Field(json_schema_extra={"uniqueItems": True})]
    rollback: Rollback
    promotes_from: str = ""
    freeze: tuple[Freeze, ...] = ()
    watch: Annotated[Duration, Field(json_schema_extra={"default": "30s"})] = timedelta(seconds=30)
    deadline: Annotated[Duration, Field(json_schema_extra={"default": "60m"})] = timedelta(minutes=60)
    tags: Annotated[Tags, Field(json_schema_extra={"default": "propose"})] = "propose"

    def frozen(self, now: datetime) -> tuple[Freeze, datetime] | None:
        """The window that is in force at the aware `now` and lasts longest, with its end in UTC."""
        ends = [(window, end) for window in self.freeze if (end := window.until(now))]
        return max(ends, key=lambda one: one[1], default=None)


@dataclass(frozen=True)
class Source:
    """Where a service is built from: a GitHub repository, "" for this one, and the folder in it."""

    repository: Repository
    path: Annotated[str, AfterValidator(_folder)]


@dataclass(frozen=True)
class Pipeline:
    """The environments in the order in which releases pass them, and the sources of the services."""

    schema: SchemaNumber
    environments: Annotated[tuple[Environment, ...], Field(min_length=1)]
    services: Annotated[Mapping[ServiceName, Source], Field(min_length=1)]

    @property
    def first(self) -> Environment:
        """Where newly built images are pinned."""
        return self.environments[0]

    def environment(self, name: str) -> Environment:
        """The environment of that name. Raises UnknownEnvironment."""
        for environment in self.environments:
            if environment.name == name:
                return environment
        names = [environment.name for environment in self.environments]
        hint = near(name, names)
        asked = f"; did you mean `{hint}`?" if hint else ""
        remedy = "Name one of: " + ", ".join(f"`{known}`" for known in names) + "."
        raise UnknownEnvironment(f"looking up {shown(name)} in pipeline.yaml: no such environment{asked}", remedy)

    def previous(self, name: str) -> Environment | None:
        """Where a release must be proven before it may go to `name`; None for the first. Raises UnknownEnvironment."""
        origin = self.environment(name).promotes_from
        return self.environment(origin) if origin else None


@dataclass(frozen=True)
class Hold:
    """Do not change this environment. `releases/holds/<environment>.yaml`."""

    by: Text
    reason: Text
    at: Moment


@dataclass(frozen=True)
class Rejection:
    """Never pin this digest here. `commit` is the source it was built from, `deployment` where it failed; or ""."""

    digest: Annotated[Digest, AfterValidator(_given)]
    commit: Commit
    reason: Text
    deployment: str


@dataclass(frozen=True)
class Override:
    """Let the release with this identity pass one gate until a time."""

    gate: Passable
    identity: Annotated[str, AfterValidator(_identity)]
    reason: Text
    until: Moment


def hold_path(environment: str) -> str:
    """Where the hold of an environment stands."""
    return f"releases/holds/{environment}.yaml"


def rejection_path(environment: str, service: str, digest: str) -> str:
    """Where the rejection of a digest (`sha256:` and 64 hex characters) stands."""
    return f"releases/rejected/{environment}-{service}-{digest.removeprefix('sha256:')[:12]}.yaml"


def override_path(environment: str, gate: str) -> str:
    """Where the override of a gate stands."""
    return f"releases/overrides/{environment}-{gate}.yaml"


def parse_pipeline(path: str, raw: bytes) -> Pipeline:
    """The pipeline in the bytes of a file. Raises InvalidFile with every finding."""
    return document.parse(path, raw, Pipeline, every_scalar_is_text=False, rule=_misfits)


def parse_hold(path: str, raw: bytes) -> Hold:
    """The hold in the bytes of a file. Raises InvalidFile with every finding."""
    return document.parse(path, raw, Hold, every_scalar_is_text=True)


def parse_rejection(path: str, raw: bytes) -> Rejection:
    """The rejection in the bytes of a file, which must bear the digest in its name. Raises InvalidFile."""

    def named(data: Mapping[str, object]) -> Iterator[tuple[Path, str, str]]:
        digest = str(data.get("digest", "")).removeprefix("sha256:")[:12]
        yield from _name_ends_with(path, "digest", digest)

    return document.parse(path, raw, Rejection, every_scalar_is_text=True, rule=named)


def parse_override(path: str, raw: bytes) -> Override:
    """The override in the bytes of a file, which must bear the gate in its name. Raises InvalidFile."""

    def named(data: Mapping[str, object]) -> Iterator[tuple[Path, str, str]]:
        yield from _name_ends_with(path, "gate", str(data.get("gate", "")))

    return document.parse(path, raw, Override, every_scalar_is_text=True, rule=named)


def _name_ends_with(path: str, key: str, ending: str) -> Iterator[tuple[Path, str, str]]:
    """These files are found by their names alone: one with the wrong name would be in force for nobody."""
    if ending and not PurePosixPath(path).name.endswith(f"-{ending}.yaml"):
        message = f"`{key}` does not fit the file's name, by which it is found"
        yield (key,), message, f"Rename the file so that it ends in {shown(f'-{ending}.yaml')}."


def _misfits(data: Mapping[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Names and order of the environments, and their freeze windows."""
    environments = data.get("environments")
    earlier: list[str] = []
    for index, entry in enumerate(environments if isinstance(environments, list) else ()):
        if not isinstance(entry, dict):
            continue
        path: Path = ("environments", index)
        name = entry.get("name")
        if name in earlier:
            yield (*path, "name"), f"{shown(name)} is the name of two environments", "Rename one of them."
        if name in (APPROVED, BOT):  # a role that deploys would then trust its jobs
            yield (*path, "name"), f"{shown(name)} is GitHub's environment for other jobs", "Give it another name."
        yield from _order(entry.get("promotes_from", ""), earlier, path, first=index == 0)
        windows = entry.get("freeze")
        for number, window in enumerate(windows if isinstance(windows, list) else ()):
            yield from freeze.misfits(window, (*path, "freeze", number))
        if isinstance(name, str):
            earlier.append(name)


def _order(origin: object, earlier: list[str], path: Path, *, first: bool) -> Iterator[tuple[Path, str, str]]:
    where = (*path, "promotes_from")
    if not isinstance(origin, str) or (first and not origin) or origin in earlier:
        return
    if first:
        yield where, "the first environment promotes from none", "Delete `promotes_from` here."
        return
    known = ", ".join(f"`{name}`" for name in earlier)
    hint = near(origin, earlier)
    asked = f"; did you mean `{hint}`?" if hint else ""
    message = f"`promotes_from` is {shown(origin)}, no environment above this one{asked}" if origin else ""
    yield where, message or "`promotes_from` is missing", f"Write one of: {known}."
