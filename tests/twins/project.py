"""Bytes of a small project, the names of its resources, and the faults that a test orders in words."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from releasectl.errors import ControllerError, Retry
from releasectl.record import Holder
from releasectl.release import Pin

REGION = "eu-west-1"
ACCOUNT = "000000000000"
BOT = "bump bot"
ACTION = "Release-Action: "
START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HERE = Holder("here", "boot-1", 4711)
ELSEWHERE = Holder("elsewhere", "boot-9", 99, "https://ci.example/runs/7")
RUNTIME = "aws:apprunner/service:Service"
REPOSITORY = "aws:ecr/repository:Repository"
IMAGE_PATH = "sourceConfiguration.imageRepository.imageIdentifier"
SHAPE: list[dict[str, object]] = [{"type": RUNTIME, "operations": ["create", "update"], "properties": [IMAGE_PATH]}]
DRIFT = {"release": [{"what": "digest", "type": RUNTIME, "properties": [IMAGE_PATH]}]}
PIPELINE = b"""\
schema: 1
environments:
  - {name: staging, soak: 0s, gates: [], rollback: commit, watch: 5s}
  - {name: production, promotes_from: staging, soak: 0s, gates: [], rollback: commit, watch: 5s}
services:
  web: {repository: "", path: service}
"""
PROJECT = b"name: release-controller\nruntime: python\nmain: stacks\n"
SETTINGS = b'config:\n  aws:region: eu-west-1\n  release-controller:backend: ""\n'


class Died(BaseException):
    """Here the controller's process ended: nothing after this line of it was run."""


class Down(ControllerError):
    """The fault that tests order where any machinery will do."""

    retry = Retry.BACKOFF


@dataclass(frozen=True)
class Fault:
    """What happens at the next call: `error` is raised, after the effect if `done`, else instead of it."""

    error: BaseException
    done: bool = False


def digest(seed: str) -> str:
    """A digest for people who think in letters: digest("A")."""
    return f"sha256:{hashlib.sha256(seed.encode()).hexdigest()}"


def release_file(program: str, pinned: str, *, restart: str = "", commit: str = "", service: str = "web") -> bytes:
    """A release file of one service."""
    return releases_file(program, {service: Pin(pinned, "", commit, restart)})


def releases_file(program: str, pins: Mapping[str, Pin]) -> bytes:
    """A release file of several services."""
    services = "".join(
        f'  {name}:\n    digest: "{pin.digest}"\n    version: "{pin.version}"\n    commit: "{pin.commit}"\n'
        f'    restart: "{pin.restart}"\n'
        for name, pin in pins.items()
    )
    return f'schema: 1\nprogram: "{program}"\nservices:\n{services}'.encode()


def arn(environment: str, service: str) -> str:
    """The ARN of a service's runtime."""
    return f"arn:aws:apprunner:{REGION}:{ACCOUNT}:service/{environment}-{service}/1"


def repository(environment: str, service: str) -> str:
    """The URL of a service's image repository."""
    return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{environment}-{service}"


def urn(environment: str, type: str, name: str) -> str:  # noqa: A002 - Pulumi's word
    """The engine's name for a resource."""
    return f"urn:pulumi:{environment}::release-controller::{type}::{name}"


def step(
    operation: str,
    type: str,  # noqa: A002 - Pulumi's word
    name: str,
    *paths: str,
    environment: str = "staging",
    unprotects: bool = False,
) -> dict[str, object]:
    """A step as the worker tells it."""
    properties = [{"path": path, "kind": "update", "before": "old", "after": "new"} for path in paths]
    return {
        "operation": operation,
        "type": type,
        "urn": urn(environment, type, name),
        "properties": properties,
        "unprotects": unprotects,
    }
