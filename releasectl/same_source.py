"""Same source: which image was built from the same sources as a commit, whatever else the commit changed.

Comes in: deployments, and the id of a service's tree at a commit. Goes out: what was pinned with that tree. One tree is
built once, and a tag names what was proven: also a tag on a commit that only changed release files. It asks git for
trees through what it is given, and decides nothing else.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from releasectl.record import Deployment, Phase
from releasectl.release import Pin

# https://semver.org, with the `v` that tags have here; the parts after it are labels.
_VERSION = re.compile(r"v(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})([-+][0-9A-Za-z.+-]{1,60})?")
TreeOf = Callable[[str, str], str]  # service, commit -> the id of the service's tree there, "" when nobody knows


def is_version(tag: str) -> bool:
    """Is it a tag such as v1.4.0 or v2.0.0-rc.1?"""
    return bool(_VERSION.fullmatch(tag))


def is_newest(tag: str, tags: Iterable[str]) -> bool:
    """Is no full version among `tags` greater than this one?"""
    return all(_order(one) <= _order(tag) for one in tags if _order(one))


def _order(tag: str) -> tuple[int, ...]:
    """() for what is none, and for what comes before a version."""
    found = _VERSION.fullmatch(tag)
    return () if not found or (found[4] or "").startswith("-") else tuple(int(part) for part in found.group(1, 2, 3))


def pins(history: Iterable[Deployment], service: str, tree: str, tree_of: TreeOf) -> Iterator[Pin]:
    """Each pin of the service with this tree, of the newest deployment first."""
    known: dict[str, str] = {}
    for one in history:
        pin = one.services.get(service)
        if pin and pin.digest and pin.commit:
            if pin.commit not in known:
                known[pin.commit] = tree_of(service, pin.commit)
            if tree and known[pin.commit] == tree:
                yield pin


def proven(history: Iterable[Deployment], trees: Mapping[str, str], tree_of: TreeOf) -> Deployment | None:
    """The newest live deployment all of whose services of `trees`, by name, have these trees."""
    live = (one for one in history if one.phase is Phase.LIVE)
    return next((one for one in live if _has_all(one, trees, tree_of)), None)


def _has_all(one: Deployment, trees: Mapping[str, str], tree_of: TreeOf) -> bool:
    return bool(trees) and all(next(pins([one], name, tree, tree_of), None) for name, tree in trees.items())
