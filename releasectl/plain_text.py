"""Plain text: words of others, such that a terminal, a file or a page shows them and obeys nothing in them.

Comes in: log lines, subjects of commits, names, causes of errors. Goes out: the same, with every character that
cannot be seen made visible. JSON needs none of this: it escapes by itself.
"""


def plain(text: str) -> str:
    """`text` with escapes, direction marks and the like as `\\x1b` or `\\u202e`; ends of lines and tabs stay."""
    return text if text.isprintable() else "".join(map(_seen, text))


def _seen(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    return ascii(character)[1:-1]
