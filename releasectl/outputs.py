"""What the program tells of an environment: stack outputs -> Outputs.

Comes in: the plain JSON of `pulumi stack output`, also from a preview, where a value may not be known yet.
Goes out: frozen values. The controller learns of runtimes, addresses and names only from here: it runs the
program and never imports it. It never holds a secret: the program exports none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from releasectl.errors import ControllerError, Retry
from releasectl.ignore import Rule

# The engine's own word for "not known before apply" (sdk/python/lib/pulumi/runtime/rpc.py, UNKNOWN).
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class UnreadableOutputs(ControllerError):
    """The program's outputs are not what this controller reads.

    Why: The pinned program is older or newer than the controller, or exports something else under the same names.
    Do: Pin a program that fits, by `releasectl bump --program`, or update the controller.
    """

    retry = Retry.AFTER_CHANGE


T = TypeVar("T")
# What a preview does not know yet, and what older programs leave out, reads as nothing.
Known = Annotated[T | None, BeforeValidator(lambda value: value or None)]
Listed = Annotated[tuple[T, ...], BeforeValidator(lambda value: value or ())]
Switch = Annotated[bool, BeforeValidator(lambda value: value or False)]


@dataclass(frozen=True)
class Former:
    """The runtime that a service moves away from; it still runs beside the new one."""

    runtime: str
    service: str = ""
    url: str = ""


@dataclass(frozen=True)
class DnsRecord:
    """One line for the DNS."""

    name: str = ""
    type: str = ""
    value: str = ""


@dataclass(frozen=True)
class Domain:
    """A name of the team's own, and what has to be in the DNS so that it leads to the service."""

    name: str
    target: str = ""
    records: Listed[DnsRecord] = ()


@dataclass(frozen=True)
class Service:
    """One service of an environment, as declared. Everything is "" while it does not exist."""

    runtime: str
    repository: str  # repository URL without a tag
    digest: str = ""  # what the stack was told to run
    image: str = ""  # what the runtime's resource says it runs: differs after a silent rollback
    service: str = ""  # ARN of the runtime's service
    url: str = ""
    health_path: str = "/"
    version_path: str = ""
    alarms: tuple[str, ...] = ()
    log_group: str = ""  # "" where the runtime names it
    private: Switch = False  # no public address: nobody asks it from outside, and its runtime says how it is
    leaving: Known[Former] = None
    domain: Known[Domain] = None


@dataclass(frozen=True)
class Allowed:
    """One kind of change that a release may make. A type that it may replace is replaced without harm."""

    type: str
    operations: tuple[str, ...]
    properties: tuple[str, ...] = ()


@dataclass(frozen=True)
class Watched:
    """What counts as the release itself when it differs: `what` is digest, scale or alarm. No properties means all."""

    what: str
    type: str
    properties: tuple[str, ...] = ()


@dataclass(frozen=True)
class DriftRules:
    """What the program says about differences made by hand."""

    release: tuple[Watched, ...] = ()
    replaceable: tuple[str, ...] = ()  # types that hold nothing, so that a drift fix may make them anew
    ignore: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Outputs:
    """All outputs of one environment's stack."""

    environment: str
    region: str
    topic: str = ""
    services: Mapping[str, Service] = field(default_factory=dict)
    shape: tuple[Allowed, ...] = ()
    drift: DriftRules = DriftRules()


_ADAPTER = TypeAdapter(Outputs)


def read(raw: Mapping[str, object]) -> Outputs:
    """Stack outputs as values; what a preview does not know yet reads as "". Raises UnreadableOutputs."""
    try:
        return _ADAPTER.validate_python(_known(raw))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UnreadableOutputs(
            f"reading the program's outputs: `{where}`: {first['msg']}",
            "Pin a program that fits this controller, or update the controller.",
        ) from error


def _known(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _known(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_known(item) for item in value]
    return "" if value is None or (isinstance(value, str) and UNKNOWN in value) else value
