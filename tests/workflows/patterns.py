"""GitHub's patterns for paths, branches and tags.

Comes in: a pattern, or a filter of several. Goes out: whether a name fits. They are not those of a shell: a whole path
has to fit, `*` stops at a slash and `**` does not, `?` and `+` are about the character before them.
"""

import re
from collections.abc import Iterable

_PARTS = re.compile(r"\*\*/|\*\*|\*|\?|\+|\[[^\]]+\]|\\.|.", re.DOTALL)
_MEANINGS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "?", "+": "+"}


def fits(name: str, pattern: str) -> bool:
    """Does the whole name fit one pattern?"""
    parts = _PARTS.findall(pattern)
    return bool(re.fullmatch("".join(_meaning(part) for part in parts), name, re.DOTALL))


def passes(name: str, patterns: Iterable[str]) -> bool:
    """Does it fit the patterns in their order? The last that fits decides; one with `!` says no."""
    passed = False
    for pattern in patterns:
        if fits(name, pattern.removeprefix("!")):
            passed = not pattern.startswith("!")
    return passed


def _meaning(part: str) -> str:
    if part in _MEANINGS:
        return _MEANINGS[part]
    return part if len(part) > 1 and part[0] in "[\\" else re.escape(part)
