"""What each call that went through leaves in the book.

Comes in: an operation's request and its result, both as plain data. Goes out: the book, changed. Calls that are not
named here change nothing that the book holds.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.runtimes.load_balancer.book import Book, whole

Data = Mapping[str, Any]


def _listener(book: Book, request: Data, result: Data) -> None:
    for listener in result["Listeners"]:
        before = book.listeners.get(listener["ListenerArn"], {"DefaultActions": []})
        actions = whole(request["DefaultActions"]) if request.get("DefaultActions") else before["DefaultActions"]
        book.listeners[listener["ListenerArn"]] = {**listener, "DefaultActions": actions}


def _listener_gone(book: Book, request: Data, _result: Data) -> None:
    for rule in book.rules_of(request["ListenerArn"]):
        book.rules.pop(rule["RuleArn"])
    book.listeners.pop(request["ListenerArn"], None)


def _balancer_gone(book: Book, request: Data, result: Data) -> None:
    for listener in book.listeners_of(request["LoadBalancerArn"]):
        _listener_gone(book, listener, result)


def _rule(book: Book, request: Data, result: Data) -> None:
    for rule in result["Rules"]:
        before = book.rules.get(rule["RuleArn"], {})
        changed = {name: request[name] for name in ("Conditions", "Actions") if request.get(name)}
        noted = {**rule, **before, **changed}
        book.rules[rule["RuleArn"]] = {**noted, "Actions": whole(noted["Actions"])}


def _rule_gone(book: Book, request: Data, _result: Data) -> None:
    book.rules.pop(request["RuleArn"], None)


def _priorities(book: Book, request: Data, _result: Data) -> None:
    for each in request["RulePriorities"]:
        if each["RuleArn"] in book.rules:
            book.rules[each["RuleArn"]]["Priority"] = str(each["Priority"])


NOTES: Mapping[str, Callable[[Book, Data, Data], None]] = {
    "CreateListener": _listener,
    "ModifyListener": _listener,
    "DeleteListener": _listener_gone,
    "DeleteLoadBalancer": _balancer_gone,
    "CreateRule": _rule,
    "ModifyRule": _rule,
    "DeleteRule": _rule_gone,
    "SetRulePriorities": _priorities,
}
