"""Comments on GitHub: ours is found by a marker in its first line and by its author, and edited in place.

Comes in: the number of a pull request or an issue, a marker, a text. Goes out: our comment. Whoever plants our
marker gets nothing: only comments of the account that we are ourselves are ever edited or taken away.
"""

from collections.abc import Callable
from dataclasses import dataclass

from releasectl.edges.github.errors import GithubFailed
from releasectl.edges.github.pulls import User, actor
from releasectl.edges.github.wire import Keyed, Wire
from releasectl.forge import Actor, Comment

LONGEST = 65_536  # characters, https://github.com/orgs/community/discussions/27190


class _Comment(Keyed):
    html_url: str
    body: str = ""
    user: User | None = None


@dataclass(frozen=True)
class GithubComments:
    """See forge.Comments. `me` is asked only where a marker is found."""

    wire: Wire
    me: Callable[[], Actor]

    def all(self, number: int) -> tuple[Comment, ...]:
        """Every comment, oldest first."""
        read = self.wire.pages(f"reading the comments of {number}", f"issues/{number}/comments", _Comment)
        return tuple(sorted(map(_comment, read), key=lambda one: one.id))

    def find(self, number: int, marker: str) -> Comment | None:
        """Our oldest with this marker."""
        return next(iter(self._ours(number, marker)), None)

    def put(self, number: int, marker: str, body: str) -> Comment:
        """Write or edit ours in place. Of several, which a lost answer may leave, the oldest stays."""
        text = f"{marker}\n{body}"
        if len(text) > LONGEST:
            raise GithubFailed(f"commenting on {number}: {len(text)} characters are too many", "Say it in fewer words.")
        first, *more = self._ours(number, marker) or (None,)
        for one in more:
            self.wire.do(f"taking away a comment of {number}", "DELETE", f"issues/comments/{one.id}", gone=(404,))
        if first is None:
            return self._create(number, marker, text)
        return first if first.body == text else self._edit(number, first.id, text)

    def _create(self, number: int, marker: str, text: str) -> Comment:
        def post() -> Comment:
            what = f"commenting on {number}"
            return _comment(self.wire.ask(what, "POST", f"issues/{number}/comments", _Comment, json={"body": text}))

        return self.wire.create(post, lambda: self.find(number, marker))

    def _edit(self, number: int, comment: int, text: str) -> Comment:
        what = f"editing a comment of {number}"
        return _comment(self.wire.ask(what, "PATCH", f"issues/comments/{comment}", _Comment, json={"body": text}))

    def _ours(self, number: int, marker: str) -> tuple[Comment, ...]:
        marked = [one for one in self.all(number) if one.body.split("\n", 1)[0].rstrip("\r") == marker]
        if not marked:
            return ()
        me = self.me()
        return tuple(one for one in marked if one.author.is_same(me))


def _comment(told: _Comment) -> Comment:
    return Comment(told.id, told.html_url, told.body, actor(told.user))
