"""Evaluates IAM policies as AWS documents it: who may do what, with which conditions; and who may take a role.

Comes in: policy documents and a request. Goes out: yes or no. Known are just the condition operators that this project
uses; any other fails, since an evaluator that skips what it does not know would prove nothing.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

Policy = Mapping[str, Any]
Value = str | tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """One call. `context` holds the condition keys that AWS would send along with it."""

    action: str
    resource: str
    context: Mapping[str, Value] = field(default_factory=dict)


def allows(policies: Iterable[Policy], request: Request, *, boundary: Policy | None = None) -> bool:
    """May who has these policies do it? With a boundary both have to say yes, and any no is the end."""
    decided = [_decide(policies, request)] + ([_decide([boundary], request)] if boundary else [])
    return all(decided)


def may_assume(trust: Policy, claims: Mapping[str, str], issuer: str) -> bool:
    """May a job whose token has these claims take the role?"""
    context = {f"{issuer}:{claim}": value for claim, value in claims.items()}
    return allows([trust], Request("sts:AssumeRoleWithWebIdentity", "", context))


def statements(policy: Policy) -> list[Mapping[str, Any]]:
    """The statements of a policy."""
    found = policy["Statement"]
    return found if isinstance(found, list) else [found]


def texts(value: Any) -> list[str]:
    """One text or several, as a list."""
    return [value] if isinstance(value, str) else list(value)


def matches(pattern: str, text: str) -> bool:
    """`*` is anything, `?` one character; nothing else is special."""
    return bool(_compiled(pattern).fullmatch(text))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _decide(policies: Iterable[Policy], request: Request) -> bool:
    effects = {one["Effect"] for policy in policies for one in statements(policy) if _applies(one, request)}
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Mapping[str, Any], request: Request) -> bool:
    if not any(matches(each.lower(), request.action.lower()) for each in texts(statement["Action"])):
        return False
    if "Resource" in statement and not any(matches(each, request.resource) for each in texts(statement["Resource"])):
        return False
    if any(matches(each, request.resource) for each in texts(statement.get("NotResource", []))):
        return False
    tests = statement.get("Condition", {})
    return all(
        _holds(operator, texts(wanted), request.context.get(key))
        for operator, keys in tests.items()
        for key, wanted in keys.items()
    )


def _holds(operator: str, wanted: list[str], said: Value | None) -> bool:
    if operator == "Null":
        return (said is None) == (wanted == ["true"])
    each = operator.removeprefix("ForAnyValue:")
    if each != operator:
        return any(_compare(each, wanted, one) for one in ((said,) if isinstance(said, str) else said or ()))
    if said is None:  # a key that is not there matches nothing, and so every negation
        return each.startswith("StringNot")
    assert isinstance(said, str), f"{operator} on several values needs ForAnyValue"
    return _compare(each, wanted, said)


def _compare(operator: str, wanted: list[str], said: str) -> bool:
    return OPERATORS[operator](wanted, said)


OPERATORS: Mapping[str, Callable[[list[str], str], bool]] = {
    "ArnLike": lambda wanted, said: any(matches(one, said) for one in wanted),
    "Bool": lambda wanted, said: said in wanted,
    "NumericLessThan": lambda wanted, said: float(said) < float(wanted[0]),
    "StringEquals": lambda wanted, said: said in wanted,
    "StringLike": lambda wanted, said: any(matches(one, said) for one in wanted),
    "StringNotEquals": lambda wanted, said: said not in wanted,
}
