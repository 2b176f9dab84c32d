"""One load balancer that really answers: an address, a door for HTTP and one for HTTPS behind it.

Comes in: the book's listeners and rules, asked anew for every request. Goes out: the answers of targets, redirects, 503
where nobody is there. Of two listeners with the same protocol the one with the lower port is served: the name is one
port here, whatever ports the listeners say.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from sandbox.runtimes.front_door import FrontDoor, Reply, Scope, Tally, Target, Terms
from sandbox.runtimes.load_balancer.address import Address
from sandbox.runtimes.load_balancer.book import Book, groups_of
from sandbox.runtimes.load_balancer.groups import Group, Groups
from sandbox.runtimes.load_balancer.metrics import balancer_data, group_data
from sandbox.runtimes.load_balancer.routes import Request, Wheel, decide, own_reply, weights
from sandbox.runtimes.server import Listening, listen
from sandbox.runtimes.telemetry import Datum

_IDLE = 60.0  # seconds that a load balancer waits for a target


@dataclass
class _Counts:
    own: Tally = field(default_factory=Tally)
    requests: int = 0


class _Listener:
    """The router of one protocol's door."""

    def __init__(self, balancer: "Balancer", scheme: str) -> None:
        self._balancer, self.scheme = balancer, scheme
        self._wheels: dict[str, Wheel] = {}
        self._chosen: dict[Target, Group] = {}

    def route(self, scope: Scope) -> Target | Reply:
        balancer, request = self._balancer, Request.of(scope)
        rule, action = decide(balancer.book, balancer.listener(self.scheme), request)
        if action is None:
            return Reply(503, "the load balancer has no listener for this")
        if action["Type"] != "forward":
            return own_reply(action, request, port=balancer.address.port, scheme=self.scheme)
        shares = weights(action)
        group = balancer.groups[self._wheels.setdefault(rule, Wheel()).next(shares)] if shares else None
        target = group.next() if group else None
        if group is None or target is None:
            return Reply(503, "no target is registered")
        self._chosen[target] = group
        return target

    def answered(self, target: Target | None, status: int, seconds: float, *, own: bool) -> None:
        counts = self._balancer.counts
        if target is not None:
            counts.requests += 1
        if own:
            counts.own.add(status, seconds)
        elif target is not None:
            self._chosen[target].add(status, seconds)


class Balancer:
    """`open` before anybody calls; `follow` after every change of its listeners."""

    def __init__(self, arn: str, book: Book, groups: Groups, *, client: httpx.AsyncClient, certificate: Path) -> None:
        self.arn, self.book, self.groups = arn, book, groups
        self.address = Address(book.ports.get(arn, 0))
        self.counts = _Counts()
        self._client, self._certificate = client, certificate
        self._doors: dict[str, Listening] = {}

    async def open(self) -> int:
        """Listen at the address; answers its port. Raises PortInUse."""
        port = await self.address.open()
        await self.follow()
        return port

    def listener(self, scheme: str) -> str:
        """The ARN of the listener that answers for `http` or `https`, empty when there is none."""
        known = [each for each in self.book.listeners_of(self.arn) if each["Protocol"] == scheme.upper()]
        return str(known[0]["ListenerArn"]) if known else ""

    async def follow(self) -> None:
        """Open and close doors as the listeners say."""
        for scheme in ("http", "https"):
            if self.listener(scheme) and scheme not in self._doors:
                terms = Terms(_IDLE, broken=502, scheme=scheme.encode())
                door = FrontDoor(self._client, _Listener(self, scheme), terms)
                self._doors[scheme] = listen(door, 0, self._certificate if scheme == "https" else None)
            elif not self.listener(scheme) and scheme in self._doors:
                await self._doors.pop(scheme).close()
        self.address.plain = self._doors["http"].port if "http" in self._doors else None
        self.address.secure = self._doors["https"].port if "https" in self._doors else None

    async def close(self) -> None:
        await self.address.close()
        for door in self._doors.values():
            await door.close()

    def read(self) -> Iterator[Datum]:
        """The metrics since the last call, its target groups' included."""
        counts, self.counts = self.counts, _Counts()
        yield from balancer_data(self.arn, counts.own, counts.requests)
        for arn in sorted(self._groups()):
            yield from group_data(self.arn, self.groups[arn])

    def _groups(self) -> set[str]:
        listeners = self.book.listeners_of(self.arn)
        actions = [action for each in listeners for action in each["DefaultActions"]]
        actions += [
            action
            for each in listeners
            for rule in self.book.rules_of(each["ListenerArn"])
            for action in rule["Actions"]
        ]
        return groups_of(actions)
