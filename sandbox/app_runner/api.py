"""App Runner's API on the wire: AWS JSON 1.0, one POST, the operation in X-Amz-Target.

Comes in: HTTP requests. Goes out: what the control plane answers, or an error as AWS shapes it. Requests are checked
against botocore's model first. Signatures are not checked: it listens on loopback and holds nothing real.
"""

import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sandbox.app_runner.control import ControlPlane
from sandbox.app_runner.shapes import model, problems
from sandbox.app_runner.values import Refusal, invalid_request

_LARGEST = 2 << 20  # bytes of a request
_log = logging.getLogger(__name__)
Operation = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, object]]]


class Api:
    """An ASGI application."""

    def __init__(self, control: ControlPlane) -> None:
        self._operations: Mapping[str, Operation] = {
            "CreateService": control.create,
            "DescribeService": control.describe,
            "UpdateService": control.update,
            "DeleteService": control.delete,
            "ListServices": control.list_services,
            "PauseService": control.pause,
            "ResumeService": control.resume,
            "StartDeployment": control.start_deployment,
            "ListOperations": control.list_operations,
            "TagResource": control.tag,
            "UntagResource": control.untag,
            "ListTagsForResource": control.list_tags,
            "CreateAutoScalingConfiguration": _at_once(control.scaling.create),
            "DescribeAutoScalingConfiguration": _at_once(control.scaling.describe),
            "DeleteAutoScalingConfiguration": _at_once(control.scaling.delete),
            "ListAutoScalingConfigurations": _at_once(control.scaling.list_all),
        }

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            status, answer = 200, await self._answer(headers, await _body(receive))
        except Refusal as refusal:
            status, answer = 400, {"__type": refusal.code, "Message": refusal.message}
        except Exception:  # noqa: BLE001 - a defect of ours is a 500 to the caller, and the next call is served
            _log.exception("answering %s", headers.get(b"x-amz-target"))
            status, answer = 500, {"__type": "InternalServiceErrorException", "Message": "Internal error."}
        fields = [
            (b"content-type", b"application/x-amz-json-1.0"),
            (b"x-amzn-requestid", str(uuid.uuid4()).encode()),
        ]
        body = json.dumps(answer).encode()
        fields.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, headers: Mapping[bytes, str], body: bytes) -> Mapping[str, object]:
        service, _, name = headers.get(b"x-amz-target", "").partition(".")
        if service != "AppRunner" or name not in model().operation_names:
            raise Refusal("UnknownOperationException", f"There is no operation {service}.{name}.")
        if name not in self._operations:
            raise Refusal("UnknownOperationException", f"The sandbox's App Runner has no {name}.")
        try:
            request = json.loads(body or b"{}")
        except ValueError as error:
            raise Refusal("SerializationException", f"The request is no JSON: {error}") from error
        wrong = problems(name, request)
        if wrong:
            count = f"{len(wrong)} validation error{'s' if len(wrong) > 1 else ''} detected"
            raise invalid_request(f"{count}: {'; '.join(wrong)}")
        return await self._operations[name](request)


def _at_once(operation: Callable[[Mapping[str, Any]], Mapping[str, object]]) -> Operation:
    async def awaited(request: Mapping[str, Any]) -> Mapping[str, object]:
        return operation(request)

    return awaited


async def _body(receive: Callable[[], Awaitable[dict[str, Any]]]) -> bytes:
    whole, more = b"", True
    while more:
        message = await receive()
        whole += message.get("body", b"")
        more = bool(message.get("more_body"))
        if len(whole) > _LARGEST:
            raise Refusal("SerializationException", "The request is over 2 MiB.")
    return whole
