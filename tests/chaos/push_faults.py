"""Pushes that go wrong: hooks of the sandbox's bare remote, and the orders they take.

Comes in: the remote, an order (story.Push) or none. Goes out: hooks that let pushes through, refuse them, or take
them and lose the answer. An order is a folder of small files, one a push; each push takes the first. The hooks
never touch what is pushed.
"""

import shutil
from pathlib import Path

from tests.chaos.story import Push

_ORDERS = "chaos"
# The update hook runs before a ref moves, once for each; the post-receive hook after all have.
_UPDATE = """#!/bin/sh
for order in chaos/*; do
    [ -f "$order" ] || exit 0
    mv "$order" chaos-taken 2>/dev/null || continue
    case "$order" in
        *refused) echo "$1" >> chaos-struck; echo "the campaign refuses this push" >&2; exit 1 ;;
        *lost | *slow) cp chaos-taken "chaos-now-${order##*-}" ;;
    esac
    exit 0
done
"""
_POST_RECEIVE = """#!/bin/sh
if mv chaos-now-lost chaos-taken 2>/dev/null; then echo lost >> chaos-struck; kill -KILL "$PPID"; fi
if mv chaos-now-slow chaos-taken 2>/dev/null; then echo slow >> chaos-struck; sleep 4; fi
"""


def install(remote: Path) -> None:
    """The hooks; without an order they do nothing."""
    for name, text in (("update", _UPDATE), ("post-receive", _POST_RECEIVE)):
        hook = remote / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(text)
        hook.chmod(0o755)


def give(remote: Path, order: Push | None) -> None:
    """From now on this, or nothing."""
    shutil.rmtree(remote / _ORDERS, ignore_errors=True)
    for left in remote.glob("chaos-*"):
        left.unlink(missing_ok=True)
    if order is None:
        return
    (remote / _ORDERS).mkdir()
    for number in range(order.skip + order.hits):
        kind = "through" if number < order.skip else order.kind
        (remote / _ORDERS / f"{number:02}-{kind}").touch()


def struck(remote: Path) -> int:
    """How many pushes went wrong since the order."""
    told = remote / "chaos-struck"
    return len(told.read_text().splitlines()) if told.exists() else 0
