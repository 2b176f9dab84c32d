"""Elastic Load Balancing's wire: requests as forms, answers as XML, both as botocore's model has them.

Comes in: a form, or ministack's XML, or plain data. Goes out: plain data, or a form's answer. It knows shapes and no
meanings; what the model does not know is passed over.
"""

import datetime
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.model import ListShape, Shape, StructureShape
from botocore.parsers import create_parser

from sandbox.runtimes.shapes import model

SERVICE = "elbv2"
_SPACE = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"
_NUMBER = re.compile(r"-?\d+")


def asked(body: bytes) -> tuple[str, dict[str, Any]]:
    """The operation that a form names, and its request; an empty name when there is none."""
    form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    name = form.get("Action", "")
    if name not in model(SERVICE).operation_names:
        return "", {}
    shape = model(SERVICE).operation_model(name).input_shape
    return name, dict(_structure(shape, form, "")) if isinstance(shape, StructureShape) else {}


def understood(operation: str, status: int, body: bytes) -> dict[str, Any]:
    """An answer as plain data, with `Error` in it when it is one."""
    shape = model(SERVICE).operation_model(operation).output_shape
    said = {"status_code": status, "headers": {}, "body": body}
    parsed: dict[str, Any] = create_parser("query").parse(said, shape or StructureShape("Nothing", {"members": {}}))
    return {name: value for name, value in parsed.items() if name != "ResponseMetadata"}


def answer(operation: str, result: Mapping[str, Any]) -> bytes:
    """The XML of an operation's result."""
    shape = model(SERVICE).operation_model(operation).output_shape
    inner = "".join(_members(shape, result)) if isinstance(shape, StructureShape) else ""
    return (
        f'<{operation}Response xmlns="{_SPACE}"><{operation}Result>{inner}</{operation}Result>'
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></{operation}Response>"
    ).encode()


def refused(code: str, message: str) -> bytes:
    """The XML of an error."""
    return (
        f'<ErrorResponse xmlns="{_SPACE}"><Error><Type>Sender</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    ).encode()


def _structure(shape: StructureShape, form: Mapping[str, str], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, member in shape.members.items():
        key = f"{prefix}{name}"
        if key in form or any(given.startswith(f"{key}.") for given in form):
            yield name, _value(member, form, key)


def _value(shape: Shape, form: Mapping[str, str], key: str) -> Any:
    if isinstance(shape, StructureShape):
        return dict(_structure(shape, form, f"{key}."))
    if isinstance(shape, ListShape):
        entries, position = [], 1
        while any(given == (here := f"{key}.member.{position}") or given.startswith(f"{here}.") for given in form):
            entries.append(_value(shape.member, form, f"{key}.member.{position}"))
            position += 1
        return entries
    text = form[key]
    if shape.type_name == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return int(text) if shape.type_name in ("integer", "long") and _NUMBER.fullmatch(text) else text


def _members(shape: StructureShape, value: Mapping[str, Any]) -> Iterator[str]:
    for name, member in shape.members.items():
        if value.get(name) is not None:
            yield f"<{name}>{_text(member, value[name])}</{name}>"


def _text(shape: Shape, value: Any) -> str:
    if isinstance(shape, StructureShape):
        return "".join(_members(shape, value))
    if isinstance(shape, ListShape):
        return "".join(f"<member>{_text(shape.member, entry)}</member>" for entry in value)
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return escape(str(value).lower() if isinstance(value, bool) else str(value))
