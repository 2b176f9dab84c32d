"""The part of Pulumi.<environment>.yaml about alerts: who is told, and from where on something is wrong.

Comes in: plain data of the file. Goes out: `Alerts` of an environment, `Alarms` of a service, or what is wrong with
them, in words. An address that is a secret stays the text that Pulumi encrypted; nothing here can read it. Imports
neither the engine nor AWS, so that a pull request from anywhere can be checked.
"""

import re
from dataclasses import dataclass
from typing import Annotated, NoReturn

from pydantic import AfterValidator, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from releasectl.document import shown, wrong
from stacks.kinds import Between, Text

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")  # E.164
_TEAM = re.compile(r"T[A-Z0-9]{5,20}")
_CHANNEL = re.compile(r"[CG][A-Z0-9]{5,20}")
_BASE64 = "[A-Za-z0-9+/]{8,}=*"
_CIPHERTEXT = re.compile(f"(v1:{_BASE64}:)?{_BASE64}")  # with its nonce, or as Pulumi Cloud writes it

_OFF = ", where 0 is no such alarm"


def _once(addresses: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({address for address in addresses if addresses.count(address) > 1})
    if not twice:
        return addresses
    raise wrong(f"names {', '.join(map(shown, twice))} twice", "Delete the repetition.")


class _Encrypted:
    """Refuses addresses in clear before the model judges the rest, since its words would repeat them.

    A choice by tag and not a validator before: that one hands on Python's values, which "strict" judges otherwise.
    """

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.tagged_union_schema(
            {"clear": core_schema.no_info_plain_validator_function(_refused), "list": handler(source)},
            _form,
            custom_error_type="wrong",
            custom_error_message="{message}",
            custom_error_context={"message": "is no list", "remedy": f"Delete it. {_set_secret(0)}."},
        )


def _form(items: object) -> str | None:
    if _in_clear(items):
        return "clear"
    return "list" if isinstance(items, list | tuple) else None


def _in_clear(items: object) -> list[int]:
    """Where in the list an address stands as it is."""
    texts = items if isinstance(items, list | tuple) else [items]
    return [position for position, item in enumerate(texts) if isinstance(item, str)]


def _set_secret(position: int) -> str:
    return f"Run `pulumi config set --secret --path 'release-controller:alerts.https[{position}]' URL`"


def _refused(items: object) -> NoReturn:
    first, *others = _in_clear(items)
    rest = f"; then the same for {', '.join(f'[{position}]' for position in others)}" if others else ""
    raise wrong(
        "has an address in clear, and whoever reads this file could raise false alarms with it",
        f"{_set_secret(first)}{rest}. If the file was pushed, make a new address first.",
    )


def _ciphertext(text: str) -> str:
    if _CIPHERTEXT.fullmatch(text):
        return text
    raise wrong(
        "is nothing that Pulumi encrypted",
        f"{_set_secret(0)}, or with its own place in the list; never write it by hand.",
    )


Email = Annotated[str, Text(_EMAIL, "which is no address", "Write one such as `team@example.com`.")]
Phone = Annotated[
    str,
    Text(
        _PHONE,
        "which is no number that can be called from anywhere",
        'Write `+`, country and number without spaces, in quotes, such as `"+491701234567"`.',
    ),
]
SlackTeam = Annotated[
    str,
    Text(
        _TEAM,
        "which is no ID of a Slack workspace",
        "Copy it from the Amazon Q Developer console; it begins with `T`, such as `T0123ABCD`.",
    ),
]
SlackChannel = Annotated[
    str,
    Text(
        _CHANNEL,
        "which is no ID of a Slack channel",
        "Copy it from the end of the channel's link; it begins with `C` or `G`, such as `C0123ABCD`.",
    ),
]
Ciphertext = Annotated[
    str,
    WithJsonSchema({"type": "string", "pattern": f"^({_CIPHERTEXT.pattern})$"}),
    AfterValidator(_ciphertext),
]
_ONE_SECRET = {
    "type": "object",
    "required": ["secure"],
    "properties": {"secure": {"type": "string", "pattern": f"^({_CIPHERTEXT.pattern})$"}},
    "additionalProperties": False,
}
Percent = Annotated[float, Between(0, 100, "number", _OFF)]
# App Runner ends a request after 120 s, a load balancer answers 504 after 60.
Milliseconds = Annotated[int, Between(0, 120_000, note=_OFF)]
Requests = Annotated[int, Between(1, 1_000_000)]


@dataclass(frozen=True)
class Secret:
    """A value as Pulumi keeps it in the file; the program gets it decrypted, and the engine keeps it secret."""

    secure: Ciphertext


@dataclass(frozen=True)
class Slack:
    """The IDs of a workspace, authorised once by hand in the Amazon Q Developer console, and of a channel of it."""

    team: SlackTeam
    channel: SlackChannel


@dataclass(frozen=True)
class Alerts:
    """Who is told, and how. Every address gets a mail to confirm before it gets an alert.

    `https` are endpoints such as PagerDuty's, each encrypted. `encrypt: false` is a topic without a key of its own.
    """

    email: Annotated[tuple[Email, ...], AfterValidator(_once)] = ()
    sms: Annotated[tuple[Phone, ...], AfterValidator(_once)] = ()
    https: Annotated[
        tuple[Secret, ...], _Encrypted(), WithJsonSchema({"type": "array", "items": _ONE_SECRET, "default": []})
    ] = ()
    slack: Slack | None = None
    dashboard: bool = True
    encrypt: bool = True


@dataclass(frozen=True)
class Alarms:
    """From where on a service is not well, three minutes of five; above, not at, the number. 0 is no such alarm.

    `errors_percent` is the share of 5xx answers, judged from `minimum_requests` a minute on; `latency_p95_ms` is what
    one request in twenty exceeds. `instances` alarms when no instance is healthy, where the runtime tells.
    """

    errors_percent: Percent = 2
    minimum_requests: Requests = 20
    latency_p95_ms: Milliseconds = 2000
    cpu_percent: Percent = 90
    memory_percent: Percent = 90
    instances: bool = True
