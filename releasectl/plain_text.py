"""Plain text: words of others, such that a terminal, a file or a page shows them and obeys nothing in them.

Comes in: log lines, subjects of commits, names, causes of errors. Goes out: the same, with every character that
cannot be seen made visible. JSON needs none of this: it escapes by itself.
"""

import re

# https://docs.github.com/en/actions/how-tos/manage-workflow-runs/skip-workflow-runs: anywhere in a commit's message
_SKIPS = re.compile(
    r"\[(skip ci|ci skip|no ci|skip actions|actions skip)\]|^(skip-checks)(?=:)", re.IGNORECASE | re.MULTILINE
)


def plain(text: str) -> str:
    """`text` with escapes, direction marks and the like as `\\x1b` or `\\u202e`; ends of lines and tabs stay."""
    return text if text.isprintable() else "".join(map(_seen, text))


def _seen(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    return ascii(character)[1:-1]


def never_skipping(message: str) -> str:
    """A commit's message, or a title that becomes one, in which no word tells GitHub to start no workflow for it."""
    return _SKIPS.sub(lambda found: f"({found[1] or found[2]})", message)
