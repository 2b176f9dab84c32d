"""Own workflows: what in the template's workflows is a team's own: whose preview is called, which service is built.

Comes in: the bytes of a workflow. Goes out: the same bytes with other names, and what it says today. Everything else in
them stays as it is. It opens no file.
"""

import re
from collections.abc import Mapping

FOLDER = ".github/workflows"
REVIEW = f"{FOLDER}/review.yml"
BUILDING = (f"{FOLDER}/build.yml", f"{FOLDER}/by-hand.yml")
NOBODY = "OWNER/REPOSITORY"
# GitHub takes no expression there, and a reference to the work tree would be the pull request's own copy.
_CALL = re.compile(rb"(?m)^(?P<before>\s+uses: )(?P<whose>[\w.-]+/[\w.-]+)(?=/\.github/workflows/preview\.yml@main)")
_NAMED = re.compile(rb"(?P<command>releasectl (?:image|bump) )(?P<service>[a-z0-9][a-z0-9-]*)")


def reviewer(raw: bytes) -> str:
    """OWNER/NAME of the repository whose preview is called, "" where nobody wrote it yet."""
    found = _CALL.search(raw)
    whose = found["whose"].decode() if found else ""
    return "" if whose == NOBODY else whose


def reviewed_by(raw: bytes, repository: str) -> bytes:
    """The workflow that calls that repository's preview."""
    return _CALL.sub(lambda found: found["before"] + repository.encode(), raw)


def building(raw: bytes, renamed: Mapping[str, str]) -> bytes:
    """The workflow in which services that have another name are called by it."""

    def now(found: re.Match[bytes]) -> bytes:
        name = found["service"].decode()
        return found["command"] + renamed.get(name, name).encode()

    return _NAMED.sub(now, raw)
