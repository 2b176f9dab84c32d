"""AWS's query protocol, by botocore's shapes: a form comes in, XML goes out.

Comes in: the body of a request, or a result. Goes out: the request as plain values, or XML. The AWS CLI spoke it
until its models learned CBOR. A value that cannot be read is a ValueError.
"""

import datetime
from collections.abc import Mapping
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, SubElement, tostring

from botocore.model import ListShape, MapShape, Shape, StructureShape

_NAMESPACE = "http://monitoring.amazonaws.com/doc/2010-08-01/"


def operation(body: bytes) -> str:
    """The name of the operation, "" where the form has none."""
    return _form(body).get("Action", "")


def read(shape: Shape | None, body: bytes) -> object:
    """The form as the structure that `shape` says. Raises ValueError."""
    return {} if shape is None else _read(shape, "", _form(body))


def written(name: str, shape: Shape | None, result: Mapping[str, object]) -> bytes:
    root = Element(f"{name}Response", xmlns=_NAMESPACE)
    if shape is not None:
        _write(shape, result, SubElement(root, f"{name}Result"))
    SubElement(SubElement(root, "ResponseMetadata"), "RequestId").text = "sandbox"
    return _bytes(root)


def error(code: str, message: str, fault: str) -> bytes:
    root = Element("ErrorResponse", xmlns=_NAMESPACE)
    inner = SubElement(root, "Error")
    for name, text in (("Type", fault), ("Code", code), ("Message", message)):
        SubElement(inner, name).text = text
    SubElement(root, "RequestId").text = "sandbox"
    return _bytes(root)


def _bytes(root: Element) -> bytes:
    content: bytes = tostring(root, "utf-8")
    return content


def _form(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True))
    except UnicodeDecodeError:
        return {}


def _read(shape: Shape, prefix: str, form: Mapping[str, str]) -> object:
    if isinstance(shape, StructureShape):
        start = f"{prefix}." if prefix else ""
        inner = ((name, member, f"{start}{name}") for name, member in shape.members.items())
        return {name: _read(member, there, form) for name, member, there in inner if _given(there, form)}
    if isinstance(shape, ListShape):
        found, at = [], 1
        while _given(there := f"{prefix}.member.{at}", form):
            found.append(_read(shape.member, there, form))
            at += 1
        return found
    return _scalar(shape, form[prefix])


def _given(prefix: str, form: Mapping[str, str]) -> bool:
    return prefix in form or any(name.startswith(f"{prefix}.") for name in form)


def _scalar(shape: Shape, text: str) -> object:
    kind = shape.type_name
    if kind in ("integer", "long"):
        return int(text)
    if kind in ("double", "float"):
        return float(text)
    if kind == "boolean":
        if text not in ("true", "false"):
            raise ValueError(f"'{text}' is neither true nor false")
        return text == "true"
    if kind == "timestamp":
        return datetime.datetime.fromisoformat(text).timestamp()
    return text


def _write(shape: Shape, value: object, into: Element) -> None:
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name, member in shape.members.items():
            if value.get(name) is not None:
                _write(member, value[name], SubElement(into, name))
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for each in value:
            _write(shape.member, each, SubElement(into, "member"))
    elif isinstance(shape, MapShape):
        raise TypeError(f"query has no maps here: {shape.name}")
    elif isinstance(value, bool):
        into.text = str(value).lower()
    elif shape.type_name == "timestamp" and isinstance(value, (int, float)):
        into.text = datetime.datetime.fromtimestamp(value, datetime.UTC).isoformat().replace("+00:00", "Z")
    else:
        into.text = str(value)
