"""The release file: what an environment should run.

Comes in: the bytes of `releases/<environment>.yaml`. Goes out: a frozen `Release`, or InvalidFile with every
finding; and the identity of a release, a hash over exactly what decides what runs. Never writes, never asks
whether a digest exists.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from releasectl import document
from releasectl.document import Path, shown, wrong

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})")
_SERVICE = re.compile(r"[a-z][a-z0-9-]{0,30}")


def _digest(text: str) -> str:
    if not text or _DIGEST.fullmatch(text):
        return text
    raise wrong(*_digest_words(text))


def _digest_words(text: str) -> tuple[str, str]:
    """What is wrong with a digest, and the remedy; the usual mistakes have words of their own."""
    algorithm, _, hexadecimal = text.rpartition(":")
    if "@" in text or "/" in text:
        return f"is an image reference, {shown(text)}", "Keep only the digest, the part after `@`."
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return "lacks the name of its algorithm", "Write `sha256:` before the 64 characters, in lower case."
    if _DIGEST.fullmatch(text.lower()):
        return "has upper-case letters", "Write the digest in lower case, as the registry does."
    if algorithm.lower() == "sha256" and re.fullmatch(r"[0-9a-fA-F]*", hexadecimal):
        return f"has {len(hexadecimal)} hex characters, not 64", "Copy the whole digest from the registry."
    if algorithm:
        return f"is {shown(text)}, no sha256 digest", "Write `sha256:` and 64 hex characters."
    return f"is {shown(text)}, which looks like a tag", "Pin the digest the tag points to now; a tag can move."


def _commit(text: str) -> str:
    if not text or _COMMIT.fullmatch(text):
        return text
    if _COMMIT.fullmatch(text.lower()):
        raise wrong("has upper-case letters", "Write the commit in lower case, as git does.")
    if re.fullmatch(r"[0-9a-fA-F]+", text):
        remedy = f"Write the whole commit; `git rev-parse {text[:40]}` prints it."
        raise wrong(f"has {len(text)} hex characters, not 40", remedy)
    remedy = "Write the commit's 40 hex characters; `git rev-parse` prints them."
    raise wrong(f"is {shown(text)}, which is a branch, a tag or no commit at all", remedy)


def _version(text: str) -> str:
    if len(text) > 128:
        raise wrong(f"has {len(text)} characters, more than 128", "Shorten it; it is only a label.")
    if not text.isprintable():
        raise wrong("holds a character that cannot be printed", "Write a label such as `1.4.0`.")
    return text


def moment(text: str) -> datetime:
    """An RFC 3339 time, with its offset. Raises a pydantic error with message and remedy."""
    try:
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:  # the 31st of February
        pass
    raise wrong(f"is {shown(text)}, which is no time", "Write a time such as `2026-11-21T10:00:00Z`.")


def _time(text: str) -> str:
    if text:
        moment(text)
    return text


def _service(text: str) -> str:
    if _SERVICE.fullmatch(text):
        return text
    remedy = "Rename it: a lower-case letter, then at most 30 of a-z, 0-9 and `-`."
    raise wrong("is no name for a service", remedy)


def _some_service(services: Mapping[str, "Pin"]) -> Mapping[str, "Pin"]:
    if not services:
        raise wrong("names no service", "Add a service below `services`.")
    return services


def _text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


Digest = Annotated[str, AfterValidator(_digest), _text(r"^(sha256:[0-9a-f]{64})?$")]
Commit = Annotated[str, AfterValidator(_commit), _text(r"^([0-9a-f]{40})?$")]
Version = Annotated[str, AfterValidator(_version), WithJsonSchema({"type": "string", "maxLength": 128})]
Time = Annotated[str, AfterValidator(_time), _text(rf"^({_TIME.pattern})?$")]
ServiceName = Annotated[str, AfterValidator(_service), _text(rf"^{_SERVICE.pattern}$")]
# An editor that checks against the schema reads `schema: 1` as a number.
SchemaVersion = Annotated[Literal["1"], WithJsonSchema({"enum": ["1", 1]})]


@dataclass(frozen=True)
class Pin:
    """What one service should run. `version` and `commit` are labels; a new `restart` restarts the same image."""

    digest: Digest
    version: Version
    commit: Commit
    restart: Time


@dataclass(frozen=True)
class Release:
    """What an environment should run. `program` is "" only while no service has a digest."""

    schema: SchemaVersion
    program: Commit
    services: Annotated[
        Mapping[ServiceName, Pin], AfterValidator(_some_service), Field(json_schema_extra={"minProperties": 1})
    ]


def parse_release(path: str, raw: bytes) -> Release:
    """The release in the bytes of a file. Raises InvalidFile with every finding; `path` is for its words."""
    return document.parse(path, raw, Release, every_scalar_is_text=True, rule=_program_is_pinned)


def _program_is_pinned(data: Mapping[str, object]) -> Iterator[tuple[Path, str, str]]:
    services = data.get("services")
    pins = services.values() if isinstance(services, dict) else ()
    if data.get("program") == "" and any(isinstance(pin, dict) and pin.get("digest") for pin in pins):
        message = "`program` is empty, but a service has a digest; nothing says how to run it"
        yield ("program",), message, "Pin the commit on main whose `stacks/` declares this environment."


def identity(release: Release, settings: Mapping[str, object]) -> str:
    """64 hex characters over exactly digests, restarts, program and settings; labels and formatting do not count.

    `settings` is what Pulumi.<environment>.yaml holds, as plain JSON values.
    """
    decisive = {
        "digests": {name: pin.digest for name, pin in release.services.items()},
        "program": release.program,
        "restarts": {name: pin.restart for name, pin in release.services.items()},
        "settings": dict(settings),
    }
    canonical = json.dumps(decisive, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
