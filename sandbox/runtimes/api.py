"""The APIs on the wire: one address, where `X-Amz-Target` or the form of a request tells which service is meant.

Comes in: HTTP requests. Goes out: what a service's control plane answers, or an error as AWS shapes it. Requests are
checked against botocore's model first. Signatures are not checked: it listens on loopback and holds nothing real.
"""

import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.asgi import Receive, Send, respond, whole_body
from sandbox.runtimes.refusal import Refusal
from sandbox.runtimes.shapes import model, problems

_LARGEST = 2 << 20  # bytes of a request
_log = logging.getLogger(__name__)
Operation = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, object]]]
Headers = Mapping[bytes, str]
Response = tuple[int, str, bytes]  # status, content type, body
Forms = Callable[[Headers, bytes], Awaitable[Response]]


@dataclass(frozen=True)
class JsonService:
    """A service that speaks AWS JSON. `service` is botocore's name for it."""

    service: str
    called: str
    operations: Mapping[str, Operation]
    invalid: str  # the code of a request that the model refuses
    broken: str  # the code of a defect of ours
    said: str  # the member of an error that holds the message

    @property
    def prefix(self) -> str:
        return str(model(self.service).metadata["targetPrefix"])

    @property
    def content_type(self) -> str:
        return f"application/x-amz-json-{model(self.service).metadata['jsonVersion']}"

    async def answer(self, name: str, body: bytes) -> Response:
        try:
            status, answer = 200, await self._answer(name, body)
        except Refusal as refusal:
            status, answer = 400, {"__type": refusal.code, self.said: refusal.message}
        except Exception:  # noqa: BLE001 - a defect of ours is a 500 to the caller, and the next call is served
            _log.exception("answering %s.%s", self.prefix, name)
            status, answer = 500, {"__type": self.broken, self.said: "Internal error."}
        return status, self.content_type, json.dumps(answer).encode()

    async def _answer(self, name: str, body: bytes) -> Mapping[str, object]:
        if name not in model(self.service).operation_names:
            raise Refusal("UnknownOperationException", f"There is no operation {self.prefix}.{name}.")
        if name not in self.operations:
            raise Refusal("UnknownOperationException", f"The sandbox's {self.called} has no {name}.")
        try:
            request = json.loads(body or b"{}")
        except ValueError as error:
            raise Refusal("SerializationException", f"The request is no JSON: {error}") from error
        wrong = problems(self.service, name, request)
        if wrong:
            count = f"{len(wrong)} validation error{'s' if len(wrong) > 1 else ''} detected"
            raise Refusal(self.invalid, f"{count}: {'; '.join(wrong)}")
        return await self.operations[name](request)


class Api:
    """An ASGI application in front of all services; `forms` is the one that speaks in forms."""

    def __init__(self, services: Sequence[JsonService], forms: Forms) -> None:
        self._services = {service.prefix: service for service in services}
        self._forms = forms

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        status, content_type, body = await self._answer(headers, await whole_body(receive, _LARGEST))
        fields = [
            (b"content-type", content_type.encode()),
            (b"x-amzn-requestid", str(uuid.uuid4()).encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        await respond(send, status, fields, body)

    async def _answer(self, headers: Headers, body: bytes | None) -> Response:
        prefix, _, name = headers.get(b"x-amz-target", "").partition(".")
        if body is None:
            return _refused("SerializationException", "The request is over 2 MiB.")
        if not prefix and headers.get(b"content-type", "").startswith("application/x-www-form-urlencoded"):
            return await self._forms(headers, body)
        if prefix not in self._services:
            return _refused("UnknownOperationException", f"There is no operation {prefix}.{name}.")
        return await self._services[prefix].answer(name, body)


def at_once(operation: Callable[[Mapping[str, Any]], Mapping[str, object]]) -> Operation:
    """An operation that has nothing to wait for."""

    async def awaited(request: Mapping[str, Any]) -> Mapping[str, object]:
        return operation(request)

    return awaited


def _refused(code: str, message: str) -> Response:
    content = {"__type": code, "Message": message, "message": message}
    return 400, "application/x-amz-json-1.0", json.dumps(content).encode()
