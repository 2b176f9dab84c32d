"""Issues on GitHub: ours is found by a marker in its first line and by its author, and edited in place.

Comes in: a marker, a title, a text. Goes out: our one open issue, or that it is closed. Whoever plants our marker
gets nothing: only issues that the account that we are opened are ever edited or closed. Closed ones are not read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from releasectl.edges.github.comments import LONGEST
from releasectl.edges.github.errors import GithubFailed
from releasectl.edges.github.pulls import User, actor
from releasectl.edges.github.wire import Keyed, Wire
from releasectl.forge import Actor, Issue


class _Issue(Keyed):
    number: int
    html_url: str
    title: str
    body: str | None = None
    state: str
    user: User | None = None
    pull_request: dict[str, Any] | None = None  # GitHub lists pull requests among the issues


@dataclass(frozen=True)
class GithubIssues:
    """See forge.Issues. `me` is asked only where a marker is found."""

    wire: Wire
    me: Callable[[], Actor]

    def find(self, marker: str) -> Issue | None:
        """Our oldest open one with this marker."""
        return next(iter(self._ours(marker)), None)

    def put(self, marker: str, title: str, body: str) -> Issue:
        """Open or edit ours in place. Of several, which two runs at once may leave, the oldest stays."""
        text = _text(marker, body)
        first, *more = self._ours(marker) or (None,)
        for one in more:
            self._patch(f"closing issue {one.number}", one.number, state="closed", state_reason="not_planned")
        if first is None:
            return self._create(marker, title, text)
        return first if first.body == text else self._patch(f"editing issue {first.number}", first.number, body=text)

    def close(self, marker: str, body: str) -> Issue | None:
        """The last text and the state go in one call, which writes no comment."""
        text, closed = _text(marker, body), None
        for one in reversed(self._ours(marker)):
            what = f"closing issue {one.number}"
            closed = self._patch(what, one.number, body=text, state="closed", state_reason="completed")
        return closed

    def _create(self, marker: str, title: str, text: str) -> Issue:
        def post() -> Issue:
            asked = {"title": title, "body": text}
            return _issue(self.wire.ask("opening an issue", "POST", "issues", _Issue, json=asked))

        return self.wire.create(post, lambda: self.find(marker))

    def _patch(self, what: str, number: int, **changes: str) -> Issue:
        return _issue(self.wire.ask(what, "PATCH", f"issues/{number}", _Issue, json=changes))

    def _ours(self, marker: str) -> tuple[Issue, ...]:
        read = self.wire.pages("looking through the open issues", "issues", _Issue, state="open")
        marked = [
            _issue(one)
            for one in sorted(read, key=lambda one: one.number)
            if one.pull_request is None and (one.body or "").split("\n", 1)[0].rstrip("\r") == marker
        ]
        if not marked:
            return ()
        me = self.me()
        return tuple(one for one in marked if one.author.is_same(me))


def _text(marker: str, body: str) -> str:
    text = f"{marker}\n{body}"
    if len(text) > LONGEST:
        raise GithubFailed(f"writing an issue: {len(text)} characters are too many", "Say it in fewer words.")
    return text


def _issue(told: _Issue) -> Issue:
    return Issue(told.number, told.html_url, told.title, told.body or "", actor(told.user), told.state == "open")
