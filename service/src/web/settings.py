"""The service's settings, read once from environment variables into a frozen value.

Comes in: the environment. Goes out: Settings, or SettingsError that names every variable that is wrong.
Nothing else in this service reads the environment, and nothing here has a value that is secret.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class Fail(StrEnum):
    """How the service fails on purpose (variable WEB_FAIL), so that tests and demos can see a release go wrong."""

    NEVER = ""
    STARTUP = "startup"  # the process ends before it listens
    HEALTH = "health"  # it runs, but /healthz and /readyz answer 503
    ERRORS = "errors"  # it is healthy, but / answers 500


class SettingsError(Exception):
    """One line for each variable that is wrong."""


@dataclass(frozen=True)
class Settings:
    host: str = "127.0.0.1"  # HOST; the container image sets 0.0.0.0, a laptop stays on loopback
    port: int = 8000  # PORT
    log_level: str = "INFO"  # LOG_LEVEL, one of LEVELS
    drain_seconds: float = 1.0  # DRAIN_SECONDS: how long /readyz says 503 before connections are refused
    digest: str = ""  # RELEASE_DIGEST: the image digest that the stack pinned
    environment: str = ""  # RELEASE_ENVIRONMENT: the environment that the stack is
    fail: Fail = Fail.NEVER  # WEB_FAIL


def read(environ: Mapping[str, str]) -> Settings:
    """Settings from variables; an absent or empty variable means its default. Raises SettingsError."""
    plain, given = Settings(), _Variables(environ, [])
    settings = Settings(
        host=environ.get("HOST") or plain.host,
        port=int(given.number("PORT", plain.port, 1, 65535)),
        log_level=given.choice("LOG_LEVEL", LEVELS) or plain.log_level,
        drain_seconds=given.number("DRAIN_SECONDS", plain.drain_seconds, 0, 60),
        digest=environ.get("RELEASE_DIGEST", ""),
        environment=environ.get("RELEASE_ENVIRONMENT", ""),
        fail=Fail(given.choice("WEB_FAIL", [fail.value for fail in Fail if fail])),
    )
    if given.problems:
        raise SettingsError("\n".join(given.problems))
    return settings


@dataclass(frozen=True)
class _Variables:
    environ: Mapping[str, str]
    problems: list[str]

    def number(self, name: str, default: float, low: int, high: int) -> float:
        """The number in `name`, whole if `default` is; anything else is a problem and yields the default."""
        given = self.environ.get(name) or str(default)
        with suppress(ValueError):
            value = type(default)(given)
            if low <= value <= high:
                return value
        kind = "whole number" if isinstance(default, int) else "number"
        self.problems.append(f"{name} is {given!r}: set it to a {kind} from {low} to {high}")
        return default

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """The word in `name`, "" if absent; a word that is not allowed is a problem and yields ""."""
        given = self.environ.get(name, "")
        if not given or given in allowed:
            return given
        self.problems.append(f"{name} is {given!r}: set it to one of {', '.join(allowed)}, or leave it out")
        return ""
