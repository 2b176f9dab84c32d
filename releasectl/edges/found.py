"""Found: an object of the cloud as those see it who look for one that no state knows.

Comes in: the inputs that the state remembers of a resource. Goes out: the value by which its object is looked for, and
the object. It asks nobody: each finder knows its own service.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from releasectl.recover import CannotTell

Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class Object:
    """An object of the cloud: `id` is what an import takes, `made` None where AWS does not say when that was."""

    id: str
    made: datetime | None
    failed: bool = False  # AWS could not make it, and nothing can be made of it


Finder = Callable[[str, Inputs], Object | None]


def text(inputs: Inputs, key: str) -> str:
    """The name by which an object is looked for. Raises CannotTell where the state does not have it."""
    value = inputs.get(key)
    if isinstance(value, str) and value and value != "[secret]":
        return value
    raise CannotTell(
        f"looking for an object by its `{key}`: the state does not say it",
        "Look for it in the account; `releasectl unlock` takes your answer (--adopt URN=ID or --forget URN).",
    )


def only(found: Iterable[Object], what: str) -> Object | None:
    """The one there is, or none. Raises CannotTell of several."""
    there = list(found)
    if len(there) > 1:
        raise CannotTell(
            f"looking for {what}: {', '.join(one.id for one in there)} all look like it",
            "Look which it is; `releasectl unlock` takes your answer (--adopt URN=ID or --forget URN).",
        )
    return there[0] if there else None
