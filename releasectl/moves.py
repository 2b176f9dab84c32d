"""Moves: services that a plan brings to another runtime, and addresses that it changes. Outputs and plan -> sentences.

Comes in: what the last live deployment left, and a plan with what the program would export. Goes out: sentences for
people, first in every preview: what is deleted, replaced and created, which address ends and which one begins. It
decides nothing: a move is a change of settings, and the gates say what they say.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from releasectl.outputs import Outputs, Service
from releasectl.plan import DISRUPTIVE, Change, Plan

# What else becomes another when one of these is made anew.
ADDRESSES = {
    "aws:apprunner/service:Service": "its address, its log group and the metrics of its alarms become others",
    "aws:ecs/expressGatewayService:ExpressGatewayService": "its address and the metrics of its alarms become others",
    "aws:lb/loadBalancer:LoadBalancer": "the address and the metrics of the service behind it become others",
}
_WORDS = {"delete": "deleted", "replace": "replaced", "create": "created"}


def moves(live: Outputs, wanted: Outputs, planned: Plan) -> tuple[str, ...]:
    """A sentence for each service that changes its runtime, or lets the one go that it has left."""
    names = sorted(live.services.keys() | wanted.services.keys())
    both = [name for name in names if name in live.services and name in wanted.services]
    return tuple(
        sentence
        for name in both
        for sentence in _moves(name, live.services[name], wanted.services[name], _touched(name, names, planned))
    )


def _moves(name: str, was: Service, comes: Service, touched: str) -> Iterator[str]:
    if was.service and was.runtime != comes.runtime:
        beside = comes.leaving is not None and comes.leaving.runtime == was.runtime
        meanwhile = f", and {was.runtime} runs on beside it while `leaving: {was.runtime}` is set" if beside else ""
        yield f"{name} moves from {was.runtime} to {comes.runtime}{meanwhile}{touched}{_address(was, comes, beside)}"
    elif was.leaving and was.leaving.service and (not comes.leaving or comes.leaving.runtime != was.leaving.runtime):
        ends = f"; {was.leaving.url} stops answering" if was.leaving.url else ""
        yield f"{name} lets {was.leaving.runtime} go, which it has left{touched}{ends}"


def _address(was: Service, comes: Service, beside: bool) -> str:
    if not was.url and not comes.url:
        return ""
    known = comes.url or "known once it is applied"
    if was.url == comes.url:
        return f"; its address stays {known}, once the DNS leads {_target(comes)}"
    ends = f"{was.url} answers until that line goes" if beside else f"{was.url} stops answering with {was.runtime}"
    kept = "" if comes.domain else "; with a `domain` of its own it would keep one address"
    return f"; {ends}, its new address is {known}{kept}" if was.url else f"; its address is {known}{kept}"


def _target(comes: Service) -> str:
    return f"to {comes.domain.target}" if comes.domain and comes.domain.target else "to the new runtime"


def _touched(name: str, names: Iterable[str], planned: Plan) -> str:
    """What the plan deletes, replaces and creates of a service, by the names of its resources."""
    mine = [one for one in planned.changes if "/" in one.type and _owner(one.name, names) == name]  # no components
    told = [
        f"{word}: {_counted(one for one in mine if planned.word(one) == operation)}"
        for operation, word in _WORDS.items()
        if any(planned.word(one) == operation for one in mine)
    ]
    return "".join(f"; {part}" for part in told)


def _owner(resource: str, names: Iterable[str]) -> str:
    """The service with the longest name that a resource's name begins with."""
    return max((one for one in names if f"{resource}-".startswith(f"{one}-")), key=len, default="")


def _counted(changes: Iterable[Change]) -> str:
    counts = Counter(_short(change.type) for change in changes)
    return ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in counts.items())


def _short(kind: str) -> str:
    """`aws:ecs/service:Service` -> `ecs Service`."""
    module, _, name = kind.rpartition(":")
    return f"{module.rpartition(':')[2].partition('/')[0]} {name}"


def addresses(planned: Plan, change: Change) -> str:
    """What else a disruptive change of a resource changes, in words that go on a sentence; "" where nothing does."""
    if change.type not in ADDRESSES or planned.word(change) not in DISRUPTIVE:
        return ""
    return f": {ADDRESSES[change.type]}" if change.operation == "replace" else ", and its address with it"
