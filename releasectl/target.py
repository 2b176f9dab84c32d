"""Target: what an environment should run, read at one commit of main.

Comes in: the commit and the name of an environment. Goes out: its release, its settings and the identity of both
together, with the bytes they were read from. It knows of the settings only what the controller itself needs
(region, backend, secrets provider): their meaning is the program's business.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from releasectl import document
from releasectl.errors import ControllerError, Finding, InvalidFile, Retry
from releasectl.pipeline import Environment, Pipeline, parse_pipeline
from releasectl.release import Release, identity, parse_release

PIPELINE = "pipeline.yaml"
PROJECT = "Pulumi.yaml"


class MissingFile(ControllerError):
    """An environment of the pipeline lacks a file.

    Why: Each environment of `pipeline.yaml` needs `releases/ENVIRONMENT.yaml` and `Pulumi.ENVIRONMENT.yaml`, at
    the commit that is read.
    Do: Add the file that the message names, then run `releasectl check`.
    """

    exit_code = 2
    retry = Retry.AFTER_CHANGE


class Reader(Protocol):
    """Bytes of files at a commit; "" as commit means the work tree."""

    def read(self, commit: str, path: str) -> bytes | None:
        """None when it is not there."""


@dataclass(frozen=True)
class Target:
    """Release and settings of one environment at one commit."""

    environment: str
    commit: str
    release: Release
    settings: Mapping[str, object]
    files: Mapping[str, bytes]
    pipeline: Pipeline  # the policy at the same commit; no part of the release

    @property
    def identity(self) -> str:
        """The identity of what should run: digests, restarts, program, settings."""
        return identity(self.release, self.settings)

    @property
    def policy(self) -> Environment:
        """This environment in the pipeline."""
        return self.pipeline.environment(self.environment)

    @property
    def settings_identity(self) -> str:
        """A hash over the settings alone."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()

    @property
    def is_created(self) -> bool:
        """Without a program nothing is declared yet."""
        return bool(self.release.program)

    @property
    def variables(self) -> dict[str, str]:
        """What the settings say to the Pulumi CLI and to AWS's clients, as environment variables."""
        backend = next((str(value) for key, value in self.settings.items() if key.endswith(":backend")), "")
        return {"PULUMI_BACKEND_URL": backend, "AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}

    @property
    def region(self) -> str:
        """The AWS region of the environment."""
        return str(self.settings.get("aws:region", ""))

    @property
    def secrets_provider(self) -> str:
        """Pulumi's `secretsprovider` of the settings file, "" for a passphrase."""
        path = settings_path(self.environment)
        data = document.load(path, self.files[path], every_scalar_is_text=False).data
        return str(data.get("secretsprovider", ""))


def release_path(environment: str) -> str:
    """Where an environment's release file is."""
    return f"releases/{environment}.yaml"


def settings_path(environment: str) -> str:
    """Where an environment's settings are: Pulumi's own place for them."""
    return f"Pulumi.{environment}.yaml"


def read_pipeline(reader: Reader, commit: str) -> Pipeline:
    """The pipeline at a commit. Raises InvalidFile, MissingFile."""
    return parse_pipeline(PIPELINE, _bytes(reader, commit, PIPELINE))


def read_project(reader: Reader, commit: str) -> str:
    """The name of the Pulumi project at a commit. Raises InvalidFile, MissingFile."""
    data = document.load(PROJECT, _bytes(reader, commit, PROJECT), every_scalar_is_text=False).data
    return str(data.get("name", ""))


def read_settings(reader: Reader, commit: str, environment: str) -> Mapping[str, object]:
    """What is below `config:` in an environment's settings at a commit. Raises InvalidFile, MissingFile."""
    path = settings_path(environment)
    return _settings(path, _bytes(reader, commit, path))


def read_target(reader: Reader, commit: str, environment: str) -> Target:
    """What `environment` should run at `commit`. Raises InvalidFile, MissingFile, UnknownEnvironment."""
    pipeline = read_pipeline(reader, commit)
    pipeline.environment(environment)
    files = {path: _bytes(reader, commit, path) for path in (release_path(environment), settings_path(environment))}
    release = parse_release(release_path(environment), files[release_path(environment)])
    settings = _settings(settings_path(environment), files[settings_path(environment)])
    return Target(environment, commit, release, settings, files, pipeline)


def _settings(path: str, raw: bytes) -> Mapping[str, object]:
    config = document.load(path, raw, every_scalar_is_text=False).data.get("config", {})
    if not isinstance(config, dict):
        finding = Finding("file", f"{path} config", "is no mapping", "Write the settings below `config:`.")
        raise InvalidFile(path, [finding])
    return config


def _bytes(reader: Reader, commit: str, path: str) -> bytes:
    raw = reader.read(commit, path)
    if raw is None:
        raise MissingFile(
            f"reading {path} at {commit[:12] or 'the work tree'}: it is not there",
            f"Add {path}: every environment of {PIPELINE} needs its release file and its settings.",
        )
    return raw
