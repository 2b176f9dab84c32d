"""The door of Elastic Load Balancing: every call goes on to ministack, and what must be true here is put right.

Comes in: calls as forms. Goes out: ministack's answers, in which a load balancer's DNSName is its host and port on
loopback, known from its creation on; forwards have their weights, which ministack forgets; the health of targets is
what the runtimes know of them. A target group that is still forwarded to is not deleted. The name of a load balancer
is one port, at which HTTP and HTTPS are both answered.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from sandbox.process import LOOPBACK
from sandbox.runtimes.api import Headers, Response
from sandbox.runtimes.copies import Surroundings
from sandbox.runtimes.load_balancer.balancer import Balancer
from sandbox.runtimes.load_balancer.book import Book
from sandbox.runtimes.load_balancer.groups import Groups
from sandbox.runtimes.load_balancer.notes import NOTES
from sandbox.runtimes.load_balancer.wire import SERVICE, answer, asked, refused, understood
from sandbox.runtimes.refusal import Refusal
from sandbox.runtimes.shapes import problems

_XML = "text/xml"
_FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
_NOT_ON = frozenset((b"host", b"content-length", b"connection", b"expect", b"accept-encoding"))


class Door:
    """Call `recover` once before the first call."""

    def __init__(self, book: Book, ministack: str, around: Surroundings, region: str) -> None:
        self.book, self.groups = book, Groups()
        self._ministack, self._around, self._region = ministack, around, region
        self._balancers: dict[str, Balancer] = {}
        self._changing = asyncio.Lock()

    async def recover(self) -> None:
        """Open the addresses of every load balancer that was, at the same ports."""
        for arn in list(self.book.ports):
            await self._open(arn)

    async def close(self) -> None:
        await asyncio.gather(*(balancer.close() for balancer in self._balancers.values()))

    async def answer(self, headers: Headers, body: bytes) -> Response:
        """One call on the wire."""
        operation, request = asked(body)
        if not operation:
            return 400, _XML, refused("InvalidAction", "There is no such action.")
        try:
            return 200, _XML, answer(operation, await self._do(operation, request, headers, body))
        except Refusal as refusal:
            return 400, _XML, refused(refusal.code, refusal.message)

    async def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """One call from inside this process. Raises Refusal."""
        form = {"Action": operation, "Version": "2015-12-01"} | dict(_flat(request, ""))
        body = str(httpx.QueryParams(form)).encode()
        credential = f"AWS4-HMAC-SHA256 Credential=test/20260101/{self._region}/elasticloadbalancing/aws4_request"
        return await self._do(operation, request, {b"authorization": credential} | _bytes(_FORM), body)

    async def _do(self, operation: str, request: dict[str, Any], headers: Headers, body: bytes) -> dict[str, Any]:
        wrong = problems(SERVICE, operation, request)
        if wrong:
            raise Refusal("ValidationError", "; ".join(wrong))
        if operation == "DeleteTargetGroup" and self.book.balancers_of(request["TargetGroupArn"]):
            raise Refusal(
                "ResourceInUse",
                f"Target group '{request['TargetGroupArn']}' is currently in use by a listener or a rule",
            )
        async with self._changing:
            result = await self._ask(operation, headers, body)
            await self._note(operation, request, result)
        return self._put_right(operation, request, result)

    async def _ask(self, operation: str, headers: Headers, body: bytes) -> dict[str, Any]:
        passed = {name.decode(): value for name, value in headers.items() if name not in _NOT_ON}
        said = await self._around.client.post(self._ministack, content=body, headers=passed, timeout=30)
        result = understood(operation, said.status_code, said.content)
        if error := result.get("Error"):
            raise Refusal(error.get("Code", "InternalFailure"), error.get("Message", ""))
        return result

    async def _note(self, operation: str, request: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Remember what a call has changed, and open or close what it takes."""
        if operation == "CreateLoadBalancer":
            for balancer in result["LoadBalancers"]:
                await self._open(balancer["LoadBalancerArn"])
        elif operation == "DeleteLoadBalancer":
            await self._shut(request["LoadBalancerArn"])
        elif operation == "DeleteTargetGroup":
            self.groups.pop(request["TargetGroupArn"], None)
        if operation in NOTES:
            NOTES[operation](self.book, request, result)
            self.book.save()
            for each in self._balancers.values():
                await each.follow()

    def _put_right(self, operation: str, request: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
        for balancer in result.get("LoadBalancers", []):
            if balancer["LoadBalancerArn"] in self.book.ports:
                balancer["DNSName"] = f"{LOOPBACK}:{self.book.ports[balancer['LoadBalancerArn']]}"
        for listener in result.get("Listeners", []):
            if listener["ListenerArn"] in self.book.listeners:
                listener["DefaultActions"] = self.book.listeners[listener["ListenerArn"]]["DefaultActions"]
        for rule in result.get("Rules", []):
            rule["Actions"] = self.book.actions(rule["RuleArn"]) or rule.get("Actions", [])
        for group in result.get("TargetGroups", []):
            group["LoadBalancerArns"] = sorted(self.book.balancers_of(group["TargetGroupArn"]))
        if operation == "DescribeTargetHealth":
            result["TargetHealthDescriptions"] = [
                *self.groups[request["TargetGroupArn"]].health(), *result.get("TargetHealthDescriptions", []),
            ]  # fmt: skip
        return result

    async def _open(self, arn: str) -> None:
        around = self._around
        balancer = Balancer(arn, self.book, self.groups, client=around.client, certificate=around.certificate)
        self.book.ports[arn] = await balancer.open()
        self._balancers[arn] = balancer
        self.book.save()
        around.telemetry.watch(arn, balancer.read)

    async def _shut(self, arn: str) -> None:
        self.book.ports.pop(arn, None)
        balancer = self._balancers.pop(arn, None)
        if balancer:
            self._around.telemetry.unwatch(arn)
            await balancer.close()


def _flat(value: Any, key: str) -> list[tuple[str, str]]:
    """Plain data as the members of a form."""
    if isinstance(value, Mapping):
        return [pair for name, each in value.items() for pair in _flat(each, f"{key}.{name}" if key else name)]
    if isinstance(value, (list, tuple)):
        return [pair for place, each in enumerate(value, 1) for pair in _flat(each, f"{key}.member.{place}")]
    return [(key, str(value).lower() if isinstance(value, bool) else str(value))]


def _bytes(headers: Mapping[str, str]) -> dict[bytes, str]:
    return {name.lower().encode(): value for name, value in headers.items()}
