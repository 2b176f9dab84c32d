"""CODEOWNERS: who reviews what, in the form that GitHub reads.

Comes in: the bytes of the file and the new owners. Goes out: the bytes with those owners wherever the owners of the
first rule stood; rules with other owners, comments and paths stay. It opens no file and asks nobody.
"""

import re
from collections.abc import Sequence

# Where GitHub looks for it; the first that is there counts.
PATHS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
_RULE = re.compile(r"(?P<pattern>[ \t]*(?:\\.|[^\s#\\])+)(?P<gap>[ \t]+)(?P<owners>[^\s#]+(?:[ \t]+[^\s#]+)*)")


def owners(raw: bytes) -> tuple[str, ...]:
    """Those of the first rule, () when no rule has any."""
    found = next(filter(None, map(_RULE.match, _lines(raw))), None)
    return tuple(found["owners"].split()) if found else ()


def owned_by(raw: bytes, new: Sequence[str]) -> bytes:
    """The file in which `new` stand in the place of the first rule's owners."""
    old = owners(raw)

    def changed(line: str) -> str:
        found = _RULE.match(line)
        if not found or tuple(found["owners"].split()) != old or old == tuple(new):
            return line
        return line[: found.start("owners")] + " ".join(new) + line[found.end("owners") :]

    return "".join(map(changed, _lines(raw))).encode("utf-8", "surrogateescape")


def _lines(raw: bytes) -> list[str]:
    return raw.decode("utf-8", "surrogateescape").splitlines(keepends=True)
