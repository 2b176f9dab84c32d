"""The protocols of CloudWatch's clients: smithy-rpc-v2-cbor, AWS JSON 1.0, and query for older ones.

Comes in: path, headers and body of a request; an answer or an error. Goes out: the operation's name and its request
as plain values, in which times are seconds since the epoch; the bytes and headers of the answer. Shapes are botocore's.
"""

import datetime
import gzip
import json
import re
import uuid
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cbor2
from botocore.model import ListShape, MapShape, Shape, StructureShape

from sandbox.cloudwatch import query
from sandbox.cloudwatch.refusal import Refusal
from sandbox.runtimes.shapes import model

CBOR, JSON, QUERY = "cbor", "json", "query"
_TARGET = "GraniteServiceVersion20100801."
_PATH = re.compile(rf"/service/{_TARGET[:-1]}/operation/(\w+)")
_TYPES = {CBOR: "application/cbor", JSON: "application/x-amz-json-1.0", QUERY: "text/xml"}


@dataclass(frozen=True)
class Call:
    """One request: how it is spoken, what it asks for, and its body without compression."""

    protocol: str
    operation: str
    body: bytes


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def call_of(path: str, headers: Mapping[str, str], body: bytes) -> Call:
    """Which operation is asked for, "" where that cannot be seen. Raises Refusal."""
    if headers.get("content-encoding") == "gzip":
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError, zlib.error) as error:
            raise Refusal("SerializationException", f"The request is no gzip: {error}") from error
    if found := _PATH.fullmatch(path):
        return Call(CBOR, found[1], body)
    if (target := headers.get("x-amz-target", "")).startswith(_TARGET):
        return Call(JSON, target.removeprefix(_TARGET), body)
    return Call(QUERY, query.operation(body), body)


def request_of(call: Call) -> dict[str, Any]:
    """The request as plain values. Raises Refusal."""
    shape = model("cloudwatch").operation_model(call.operation).input_shape
    try:
        if call.protocol == QUERY:
            read: object = query.read(shape, call.body)
        elif call.protocol == CBOR:
            read = _timed(shape, cbor2.loads(call.body or b"\xa0"), _seconds)
        else:
            read = json.loads(call.body or b"{}")
    except (cbor2.CBORDecodeError, TypeError, ValueError) as error:
        raise Refusal("SerializationException", f"The request cannot be read: {error}") from error
    if not isinstance(read, dict):
        raise Refusal("SerializationException", "The request is no structure.")
    return {name: value for name, value in read.items() if value is not None}


def answer(call: Call, result: Mapping[str, Any]) -> Answer:
    """A result in the protocol of the call."""
    shape = model("cloudwatch").operation_model(call.operation).output_shape
    if call.protocol == QUERY:
        return _answer(call.protocol, 200, query.written(call.operation, shape, result))
    if call.protocol == CBOR:
        return _answer(call.protocol, 200, cbor2.dumps(_timed(shape, result, lambda time: cbor2.CBORTag(1, time))))
    return _answer(call.protocol, 200, json.dumps(result).encode())


def error(protocol: str, refusal: Refusal) -> Answer:
    """An error; CBOR and JSON carry the code of query beside it, because the model says that they are compatible."""
    body: Mapping[str, str] = {"__type": refusal.code, "message": refusal.message}
    fault = "Sender" if refusal.status < 500 else "Receiver"
    if protocol == QUERY:
        return _answer(protocol, refusal.status, query.error(refusal.code, refusal.message, fault))
    content = cbor2.dumps(body) if protocol == CBOR else json.dumps(body).encode()
    said = _answer(protocol, refusal.status, content)
    return Answer(said.status, {**said.headers, "x-amzn-query-error": f"{refusal.code};{fault}"}, content)


def _answer(protocol: str, status: int, body: bytes) -> Answer:
    headers = {"content-type": _TYPES[protocol], "x-amzn-requestid": str(uuid.uuid4())}
    return Answer(status, headers | ({"smithy-protocol": "rpc-v2-cbor"} if protocol == CBOR else {}), body)


def _timed(shape: Shape | None, value: Any, time: Callable[[Any], Any]) -> Any:
    """`value` with `time` applied to each of its timestamps."""
    if shape is None or value is None:
        return value
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {name: _timed(shape.members.get(name), each, time) for name, each in value.items() if each is not None}
    if isinstance(shape, ListShape) and isinstance(value, (list, tuple)):
        return [_timed(shape.member, each, time) for each in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {name: _timed(shape.value, each, time) for name, each in value.items()}
    return time(value) if shape.type_name == "timestamp" else value


def _seconds(time: object) -> object:
    if not isinstance(time, datetime.datetime):
        return time
    return (time if time.tzinfo else time.replace(tzinfo=datetime.UTC)).timestamp()
