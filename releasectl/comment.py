"""Comment: a preview as Markdown for a pull request.

Comes in: a Preview. Goes out: Markdown that fits a comment on GitHub. Names, values and subjects of commits come
from whoever wrote the proposal: all of it is written as entities, so that it can be read and does nothing: no link,
no markup, no mention. It asks nobody.
"""

from collections.abc import Iterable, Iterator

from releasectl.admission import No
from releasectl.plain_text import plain
from releasectl.plan import Change, PropertyChange, inner
from releasectl.preview import Preview
from releasectl.release_notes import Commit, Notes

LIMIT = 60_000  # characters; GitHub takes 65,536
ROWS = 60  # resources in the table
VALUE = 160  # characters of one value
_PLAIN = frozenset(" ,.;/'()=+-")


def comment(seen: Preview, *, most: int = LIMIT, rest: str = "") -> str:
    """The whole comment. What is over `most` characters is cut at a line and said; `rest` is a URL that has it all."""
    lines = [*_head(seen), *_table(seen), *_gates(seen), *_notes(seen.notes), *_foot(seen)]
    return cut(lines, most, f"<{rest}>" if rest else "the output of the run")


def text(value: object, most: int = 2000) -> str:
    """Anything as running text that is only text: one line, nothing in it is markup, nobody is called."""
    line = " ".join(plain(str(value)).split())
    if len(line) > most:  # both ends count: an image reference ends with its digest
        line = f"{line[: most // 2]}…{line[len(line) - (most - 1) // 2 :]}"
    return "".join(map(_entity, line)).replace("www.", "www&#46;")


def code(value: object, most: int = VALUE) -> str:
    """Anything as code."""
    return f"<code>{text(value, most)}</code>"


def _entity(character: str) -> str:
    if character in "@#":  # an invisible space: no mention, no link to an issue
        return f"&#{ord(character)};&#8203;"
    if character.isalnum() or character in _PLAIN or ord(character) > 127:
        return character
    return f"&#{ord(character)};"


def _head(seen: Preview) -> Iterator[str]:
    yield f"### {code(seen.environment)}: {text(seen.plan.sentence)}"
    yield ""
    if seen.warnings:
        yield "> [!WARNING]"
        yield from (f"> {text(line)}  " for line in seen.warnings)
        yield ""


def _table(seen: Preview) -> Iterator[str]:
    changes = seen.plan.changes
    if not changes:
        return
    yield "| operation | resource | properties |"
    yield "|---|---|---|"
    for change in changes[:ROWS]:
        lifted = " (protection lifted)" if change.unprotects else ""
        word, resource = text(seen.plan.word(change)), code(f"{change.type} {change.name}")
        yield f"| {word}{lifted} | {resource} | {_properties(change)} |"
    yield ""
    if len(changes) > ROWS:
        yield f"and {len(changes) - ROWS} more resources"
        yield ""


def _properties(change: Change) -> str:
    if change.operation in ("create", "delete"):
        return ""
    told = [one for prop in change.properties for one in inner(prop)]
    return "<br>".join(_property(prop) for prop in told[:12])


def _property(prop: PropertyChange) -> str:
    return f"{code(prop.path)}: {code(prop.before)} → {code(prop.after)}"


def _gates(seen: Preview) -> Iterator[str]:
    yield "**Gates**"
    yield ""
    yield from (_gate(no) for no in seen.admission.nos)
    if not seen.admission.nos:
        yield "- no gate says no"
    yield from (f"- {code(one.service)}: its image is copied from {code(one.source)} first" for one in seen.copies)
    yield ""


def _gate(no: No) -> str:
    until = f", until {no.until:%Y-%m-%d %H:%M} UTC" if no.until else ""
    said = f"**{no.answer}** by {text(no.finding.rule)}{until}: {text(no.finding.message)}"
    return f"- {said} <br>{text(no.finding.remedy)}"


def _notes(notes: Iterable[Notes]) -> Iterator[str]:
    for one in notes:
        yield f"**{text(one.name)}** {text(one.sentence)}"
        yield ""
        yield from (f"- {_commit(commit)}" for commit in one.brings)
        yield from (f"- taken away: {_commit(commit)}" for commit in one.takes_away)
        if one.untold:
            yield f"- and {one.untold} more"
        yield ""


def _commit(commit: Commit) -> str:
    return f"{code(commit.sha[:12])} {text(commit.subject, 200)} ({text(commit.author, 60)})"


def _foot(seen: Preview) -> Iterator[str]:
    yield (
        f"<sub>plan {code(seen.plan.identity[:12])} of release {code(seen.identity[:12])}, "
        f"against main {code(seen.base[:12])}</sub>"
    )


def cut(lines: list[str], most: int = LIMIT, rest: str = "the output of the run") -> str:
    """The lines, as far as `most` characters go; `rest` says where all of them are."""
    kept: list[str] = []
    room = most
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return "\n".join((*kept, "", f"*The rest is cut: see {rest}.*", ""))
        kept.append(line)
    return "\n".join((*kept, ""))
