"""One page of a list, with the token of the next.

Comes in: a request with NextToken and MaxResults, all entries. Goes out: the answer. A token that this list did
not give is an invalid request.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.app_runner.values import invalid_request


def page(request: Mapping[str, Any], name: str, entries: Sequence[object], *, most: int) -> dict[str, object]:
    """`entries` from where NextToken says, at most MaxResults and never over `most`. Raises Refusal."""
    token = request.get("NextToken") or "0"
    if not (token.isascii() and token.isdigit() and int(token) <= len(entries)):
        raise invalid_request("NextToken is invalid.")
    start = int(token)
    end = start + min(request.get("MaxResults") or most, most)
    answer: dict[str, object] = {name: list(entries[start:end])}
    return answer | ({"NextToken": str(end)} if end < len(entries) else {})
