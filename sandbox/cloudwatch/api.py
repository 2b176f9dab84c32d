"""CloudWatch on the wire: operations on alarms are served here, all others by ministack, unchanged.

Comes in: HTTP requests in any of CloudWatch's protocols. Goes out: answers and errors as AWS shapes them. Metric data
that ministack took is kept here as well, for the alarms. Signatures are not checked: it listens on loopback and holds
nothing real.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from sandbox.asgi import Receive, Send, respond, whole_body
from sandbox.cloudwatch import wire
from sandbox.cloudwatch.control import Control
from sandbox.cloudwatch.metrics import Metric, Metrics, Sample, samples_of
from sandbox.cloudwatch.refusal import Refusal, invalid
from sandbox.cloudwatch.wire import Answer, Call
from sandbox.runtimes.shapes import model, problems

_LARGEST = 4 << 20  # bytes of a request; AWS takes 1 MB of metric data
_HOP = frozenset({"connection", "content-encoding", "content-length", "host", "keep-alive", "transfer-encoding"})
_log = logging.getLogger(__name__)
_READS = ("Describe", "List")


class Api:
    """An ASGI application. `metrics` takes accepted data; `changed` is called before a change is answered."""

    def __init__(
        self, control: Control, beyond: httpx.AsyncClient, metrics: Metrics, changed: Callable[[], None]
    ) -> None:
        self._control = control
        self._beyond = beyond
        self._metrics = metrics
        self._changed = changed

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            answer = await self._answer(scope, headers, await _body(receive))
        except Refusal as refusal:
            answer = wire.error(_spoken(headers), refusal)
        except httpx.HTTPError as error:
            told = f"The CloudWatch behind this one does not answer: {error!r}"
            answer = wire.error(_spoken(headers), Refusal("InternalServiceError", told, 500))
        except Exception:  # noqa: BLE001 - a defect of ours is a 500 to the caller, and the next call is served
            _log.exception("answering %s", scope["path"])
            answer = wire.error(_spoken(headers), Refusal("InternalServiceError", "Internal error.", 500))
        fields = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
        fields.append((b"content-length", str(len(answer.body)).encode()))
        await respond(send, answer.status, fields, answer.body)

    async def _answer(self, scope: Mapping[str, Any], headers: Mapping[str, str], body: bytes) -> Answer:
        call = wire.call_of(scope["path"], headers, body)
        known = call.operation in model("cloudwatch").operation_names
        request = wire.request_of(call) if known else {}
        if self._control.serves(call.operation, request):
            return self._served(call, request)
        samples: list[tuple[Metric, Sample]] = []
        if call.operation == "PutMetricData":
            _check(call, request)
            samples = samples_of(request, time.time())
        answer = await self._passed_on(scope, headers, call)
        if answer.status < 300:
            self._metrics.add(samples)
        return answer

    def _served(self, call: Call, request: Mapping[str, Any]) -> Answer:
        _check(call, request)
        result = self._control.operations[call.operation](request)
        if not call.operation.startswith(_READS):
            self._changed()
        return wire.answer(call, result)

    async def _passed_on(self, scope: Mapping[str, Any], headers: Mapping[str, str], call: Call) -> Answer:
        url = httpx.URL(path=scope["path"], query=scope["query_string"])
        kept = {name: value for name, value in headers.items() if name not in _HOP}
        answer = await self._beyond.request(scope["method"], url, headers=kept, content=call.body)
        told = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
        return Answer(answer.status_code, told, answer.content)


def _check(call: Call, request: Mapping[str, Any]) -> None:
    """Against the model. Raises Refusal."""
    wrong = problems("cloudwatch", call.operation, request)
    if wrong:
        count = f"{len(wrong)} validation error{'s' if len(wrong) > 1 else ''} detected"
        raise invalid(f"{count}: {'; '.join(wrong)}")


def _spoken(headers: Mapping[str, str]) -> str:
    """In which protocol an error is to be told."""
    if "cbor" in headers.get("smithy-protocol", "") + headers.get("content-type", ""):
        return wire.CBOR
    return wire.JSON if "x-amz-target" in headers else wire.QUERY


async def _body(receive: Receive) -> bytes:
    body = await whole_body(receive, _LARGEST)
    if body is None:
        raise Refusal("RequestEntityTooLarge", "The request is over 4 MiB.", 413)
    return body
