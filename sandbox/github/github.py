"""The sandbox's GitHub as a whole: who may ask, what is remembered, which fault a request meets, who answers.

Comes in: a bare repository, people, Apps, orders. Goes out: an answer to a request, or None where the line is cut.
One request at a time. For tests and for the door of the process, its desk says what a person or another App does.
"""

import copy
import json
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.github import apps, checks, comments, content, deployments, graphql, issues, pulls, releases, runs
from sandbox.github.apps import App
from sandbox.github.asked import Asked, No, Reply, Route, View
from sandbox.github.faults import REFUSING, Fault, Kind, refusal
from sandbox.github.repository import GitSaysNo, Repository
from sandbox.github.shapes import GITHUB_ACTIONS
from sandbox.github.state import ALL, Event, Permissions, Person, State, Token

ROUTES: tuple[Route, ...] = (
    *content.ROUTES, *pulls.ROUTES, *comments.ROUTES, *issues.ROUTES, *checks.ROUTES, *deployments.ROUTES,
    *runs.ROUTES, *releases.ROUTES,
)  # fmt: skip
PAGE = 30
NOBODY = Token(Person("nobody", 0), "person", {})


@dataclass(frozen=True)
class Answer:
    """On the wire."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Github:
    """`name` is OWNER/NAME; `server` the address for people, which nobody asks."""

    repository: Repository
    name: str = "team/shop"
    server: str = "https://github.example"
    url: str = ""
    state: State = field(default_factory=State)
    events: list[Event] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    tokens: dict[str, Token] = field(default_factory=dict)
    apps: dict[str, App] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    remaining: int = 5000
    _before: tuple[State, dict[str, str]] | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def token(self, login: str = "", *, permissions: Permissions | None = None, kind: str = "actions") -> str:
        """A new token: of a workflow, or with a login of a person or an App."""
        slug = "" if kind == "person" else "github-actions" if kind == "actions" else login
        person = GITHUB_ACTIONS if kind == "actions" else apps.bot(slug) if slug else apps.person(login)
        made = f"gh{kind[0]}_{secrets.token_hex(18)}"
        self.tokens[made] = Token(person, kind, dict(ALL) if permissions is None else permissions, slug)
        return made

    def view(self) -> View:
        """Of now."""
        return View(self.url, self.server, self.name, self.repository, self.state, self.events)

    def answer(self, method: str, target: str, headers: dict[str, str], raw: bytes) -> Answer | None:
        """The whole way of one request."""
        with self._lock:
            parts = urlsplit(target)
            path = unquote(parts.path)
            self.asked.append((method, path))
            fault = next((one for one in self.faults if one.meets(method, path)), None)
            if fault:
                fault.times -= 1
                if fault.kind in REFUSING:
                    no, more = refusal(fault)
                    return None if fault.kind is Kind.CUT else self._no(no, more)
                self._disturb(fault)
            asked = Asked(method, path, dict(parse_qsl(parts.query)), raw, _json(path, raw), NOBODY, headers)
            said = self._answer(asked, fault)
        if fault and fault.kind is Kind.SLOW:
            time.sleep(fault.seconds)
        return self._spoiled(said, fault)

    def _answer(self, asked: Asked, fault: Fault | None) -> Answer:
        is_read = asked.method == "GET" or (asked.path == "/graphql" and b"mutation" not in asked.raw)
        view = self._stale() if fault and fault.kind is Kind.STALE and is_read else self.view()
        before = None if is_read else (copy.deepcopy(self.state), self.repository.all_refs())
        try:
            reply = self._reply(view, asked, fault)
            self._before = before or self._before
        except No as no:
            return self._no(no)
        except GitSaysNo as error:
            return self._no(No(500, str(error)))
        return self._paged(view, asked, reply) if reply.within else self._replied(reply)

    def _reply(self, view: View, asked: Asked, fault: Fault | None) -> Reply:
        if asked.path.startswith("/app/") or asked.path.endswith("/installation"):
            return apps.answer(self, asked.method, asked.path, asked.headers)
        known = replace(asked, token=self._who(asked.headers), shift=int(bool(fault and fault.kind is Kind.REPEATED)))
        if fault and fault.kind is Kind.MOVED:
            raise No(409, "Base branch was modified. Review and try the merge again.")
        return graphql.answer(view, known) if asked.path == "/graphql" else self._routed(view, known)

    def _routed(self, view: View, asked: Asked) -> Reply:
        prefix = f"/repos/{self.name}"
        if not asked.path.startswith(f"{prefix}/"):
            raise No(404, "Not Found")
        for route in ROUTES:
            if (found := route.matches(asked.method, asked.path.removeprefix(prefix))) is not None:
                if not route.admits(asked.token):
                    raise No(403, "Resource not accessible by integration")
                return route.handler(view, asked, **found)
        raise No(404, "Not Found")

    def _who(self, headers: Mapping[str, str]) -> Token:
        word = headers.get("Authorization", "").partition(" ")[2]
        if word not in self.tokens:
            raise No(401, "Bad credentials")
        return self.tokens[word]

    def _stale(self) -> View:
        state, refs = self._before or (self.state, self.repository.all_refs())
        return replace(
            self.view(), state=copy.deepcopy(state), repository=replace(self.repository, refs=refs), events=[]
        )

    def _disturb(self, fault: Fault) -> None:
        if fault.kind in (Kind.RIVAL, Kind.MOVED):
            self.rival(fault.branch)

    def rival(self, branch: str = "main", files: dict[str, bytes | None] | None = None) -> str:
        """Somebody else commits to a branch."""
        tip = self.repository.ref(f"refs/heads/{branch}")
        tree = self.repository.write_tree(tip, files or {})
        made = self.repository.write_commit(tree, (tip,), "A rival was faster\n", ("rival", "rival@example.com"))
        self.repository.set_ref(f"refs/heads/{branch}", made, tip)
        return made

    def _paged(self, view: View, asked: Asked, reply: Reply) -> Answer:
        size = min(100, max(1, int(asked.params.get("per_page", PAGE))))
        page = max(1, int(asked.params.get("page", 1)))
        begin = (page - 1) * size
        items = reply.body[max(0, begin - (asked.shift if page > 1 else 0)) : begin + size]
        links = {}
        if begin + size < len(reply.body):
            links = {"Link": f'<{view.url}{asked.path}?page={page + 1}>; rel="next"'}
        named = items if reply.within == "-" else {"total_count": len(reply.body), reply.within: items}
        return self._replied(Reply(named, reply.status), links)

    def _replied(self, reply: Reply, more: dict[str, str] | None = None) -> Answer:
        self.remaining -= 1
        headers = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": str(self.remaining), **(more or {})}
        body = b"" if reply.body is None else json.dumps(reply.body).encode()
        return Answer(reply.status, body, headers)

    def _no(self, no: No, more: dict[str, str] | None = None) -> Answer:
        told: dict[str, Any] = {"message": no.message, "documentation_url": "https://docs.github.com/rest"}
        if no.errors:
            told["errors"] = [dict(one) for one in no.errors]
        return self._replied(Reply(told | {"status": str(no.status)}, no.status), more)

    def _spoiled(self, said: Answer, fault: Fault | None) -> Answer | None:
        if fault and fault.kind is Kind.LOST:
            return None
        if fault and fault.kind is Kind.BROKEN_AFTER:
            return Answer(502, b"<html>502 Bad Gateway</html>")
        return Answer(200, b"<html>") if fault and fault.kind is Kind.GARBLED else said


def _json(path: str, raw: bytes) -> Any:
    """A body as JSON, None where it is a file or is none."""
    try:
        return None if path.endswith("/assets") else json.loads(raw)
    except ValueError:
        return None
