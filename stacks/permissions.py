"""What a team's service may do in AWS: an IAM policy in `stacks/permissions/`, part of the pinned program.

Comes in: a path below `stacks/`. Goes out: the policy as text, the same bytes for the same meaning. It is code:
reviewed, promoted and rolled back like the rest of the program. What would give everything away is refused here,
before any resource exists; the rest is the reviewer's.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from releasectl.errors import ControllerError

LARGEST = 10_240  # characters of all inline policies of a role together (IAM quotas)


def permissions(folder: Path, path: str) -> str:
    """The policy at a path such as `permissions/web.json` below `folder`, "" for no path. Raises ControllerError."""
    if not path:
        return ""
    where = f"{folder.name}/{path}"
    try:
        policy = json.loads((folder / path).read_text())
    except FileNotFoundError as error:
        raise ControllerError(
            f"reading {where}: it is not there", "Add it to the program, or delete `permissions`."
        ) from error
    except ValueError as error:
        raise ControllerError(f"reading {where}: it is no JSON: {error}", "Write an IAM policy document.") from error
    wrong = next(_wrong(policy), "")
    if wrong:
        raise ControllerError(f"reading {where}: {wrong}", "Name what the service needs, action by action.")
    return json.dumps(policy, sort_keys=True)


def _wrong(policy: object) -> Iterator[str]:
    if (
        not isinstance(policy, dict)
        or policy.get("Version") != "2012-10-17"
        or set(policy) - {"Id", "Version", "Statement"}
    ):
        yield "it is no policy document of version 2012-10-17"
        return
    if len(json.dumps(policy)) > LARGEST:
        yield f"it is longer than {LARGEST} characters"
    statements = policy.get("Statement")
    for statement in statements if isinstance(statements, list) and statements else [None]:
        if not isinstance(statement, dict):
            yield "`Statement` is no list of statements"
        else:
            yield from _wrong_statement(statement)


def _wrong_statement(statement: Mapping[str, object]) -> Iterator[str]:
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield "a statement has no `Effect` of Allow or Deny"
    if "Principal" in statement or "NotPrincipal" in statement:
        yield "a statement names a principal, and the policy is the service's own"
    if statement.get("Effect") == "Deny":
        return
    if "NotAction" in statement or "NotResource" in statement:
        yield "a statement allows all but something"
    for key in ("Action", "Resource"):
        if not all(isinstance(one, str) and one for one in _texts(statement.get(key))):
            yield f"a statement has no `{key}`"
    if any(str(action).partition(":")[2] in ("", "*") for action in _texts(statement.get("Action"))):
        yield "a statement allows every action of a service"


def _texts(value: object) -> list[object]:
    return value if isinstance(value, list) and value else [value]
