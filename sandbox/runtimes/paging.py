"""One page of a list, with the token of the next.

Comes in: a request with NextToken and MaxResults, all entries. Goes out: the answer. A token that this list did
not give is an invalid request.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.runtimes.refusal import Refusal

_UPPER = ("NextToken", "MaxResults", "InvalidRequestException")
_LOWER = ("nextToken", "maxResults", "InvalidParameterException")


def page(request: Mapping[str, Any], name: str, entries: Sequence[object], *, most: int) -> dict[str, object]:
    """`entries` from where the token says, at most as many as asked for and never over `most`. Raises Refusal.

    Services spell the members in their own case: `NextToken` and `nextToken`. The list's name tells which.
    """
    token_name, most_name, code = _UPPER if name[0].isupper() else _LOWER
    token = request.get(token_name) or "0"
    if not (token.isascii() and token.isdigit() and int(token) <= len(entries)):
        raise Refusal(code, f"{token_name} is invalid.")
    start = int(token)
    end = start + min(request.get(most_name) or most, most)
    answer: dict[str, object] = {name: list(entries[start:end])}
    return answer | ({token_name: str(end)} if end < len(entries) else {})
