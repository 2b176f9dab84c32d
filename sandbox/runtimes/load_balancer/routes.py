"""What a listener does with a request: its rules in their order, then its default action.

Comes in: the book, a listener, a request. Goes out: the target groups with their weights, or the door's own reply.
Weights are kept exactly: of twenty requests, five per cent is one, and no dice are thrown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl

from sandbox.runtimes.front_door import Reply, Scope
from sandbox.runtimes.load_balancer.book import Action, Book

Weights = Mapping[str, int]


@dataclass(frozen=True)
class Request:
    """The parts of a request that rules look at; `host` is without its port."""

    method: str
    host: str
    path: str
    query: str
    headers: Mapping[str, str]

    @classmethod
    def of(cls, scope: Scope) -> "Request":
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "").partition(":")[0]
        return cls(scope["method"], host, scope["path"], scope["query_string"].decode("latin-1"), headers)


@dataclass
class Wheel:
    """Smooth weighted turns: everybody gets exactly the share, spread evenly."""

    _owed: dict[str, float] = field(default_factory=dict)
    _weights: Weights = field(default_factory=dict)

    def next(self, weights: Weights) -> str:
        if weights != self._weights:
            self._weights, self._owed = dict(weights), dict.fromkeys(weights, 0.0)
        for arn, weight in weights.items():
            self._owed[arn] += weight
        chosen = max(self._owed, key=lambda arn: self._owed[arn])
        self._owed[chosen] -= sum(weights.values())
        return chosen


def decide(book: Book, listener: str, request: Request) -> tuple[str, Action | None]:
    """The rule that answers (its ARN, or the listener's for the default) and its last action."""
    for rule in book.rules_of(listener):
        if all(_matches(condition, request) for condition in rule["Conditions"]):
            return rule["RuleArn"], rule["Actions"][-1]
    actions = book.listeners[listener]["DefaultActions"] if listener in book.listeners else []
    return listener, actions[-1] if actions else None


def weights(action: Action) -> dict[str, int]:
    """Of a forward, the groups that get anything."""
    groups = action["ForwardConfig"]["TargetGroups"]
    return {group["TargetGroupArn"]: group["Weight"] for group in groups if group["Weight"]}


def own_reply(action: Action, request: Request, *, port: int, scheme: str) -> Reply:
    """A redirect, or an answer that the listener gives itself. All of a load balancer's listeners are at `port`."""
    if action["Type"] == "fixed-response":
        fixed = action["FixedResponseConfig"]
        return Reply(int(fixed["StatusCode"]), fixed.get("MessageBody", ""))
    if action["Type"] != "redirect":
        return Reply(500, f"the sandbox's load balancer has no action {action['Type']}")
    wanted = action["RedirectConfig"]
    known = {"host": request.host, "path": request.path.lstrip("/"), "query": request.query, "port": str(port)}
    protocol = _filled(wanted["Protocol"].lower(), {"protocol": scheme})
    address = f"{protocol}://{_filled(wanted['Host'], known)}:{port}{_filled(wanted['Path'], known)}"
    query = _filled(wanted["Query"], known)
    location = f"{address}?{query}" if query else address
    status = int(wanted["StatusCode"].removeprefix("HTTP_"))
    return Reply(status, "redirected", ((b"location", location.encode()),))


def _filled(text: str, known: Mapping[str, str]) -> str:
    for name, value in known.items():
        text = text.replace("#{" + name + "}", value)
    return text


def _matches(condition: Mapping[str, Any], request: Request) -> bool:
    field_ = condition.get("Field", "")
    if field_ == "query-string":
        wanted = condition.get("QueryStringConfig", {}).get("Values", [])
        given = parse_qsl(request.query, keep_blank_values=True)
        return any(
            fnmatchcase(value, each["Value"]) and fnmatchcase(name, each.get("Key") or "*")
            for each in wanted
            for name, value in given
        )
    looked_at = {
        "path-pattern": ("PathPatternConfig", request.path),
        "host-header": ("HostHeaderConfig", request.host.lower()),
        "http-request-method": ("HttpRequestMethodConfig", request.method),
        "http-header": (
            "HttpHeaderConfig",
            request.headers.get(condition.get("HttpHeaderConfig", {}).get("HttpHeaderName", "").lower(), ""),
        ),
    }
    if field_ not in looked_at:
        return False
    form, value = looked_at[field_]
    patterns = condition.get("Values") or condition.get(form, {}).get("Values", [])
    return any(fnmatchcase(value, pattern.lower() if field_ == "host-header" else pattern) for pattern in patterns)
