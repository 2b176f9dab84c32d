"""A registry of two accounts and regions for the contract tests, and a proxy before it that counts, cuts and lies."""

import gzip
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import httpx

from sandbox.registry import NotInRegistry, Registry, digest_of
from tests.contract.answers import CUT, Answer, Asked

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
HERE, THERE = ("000000000000", "eu-west-1"), ("111111111111", "eu-central-1")
LAYERS = [gzip.compress(b"one" * 100), gzip.compress(b"two" * 100)]
_OURS = ("content-length", "connection", "date", "server", "transfer-encoding")


@dataclass
class Between:
    """What passes, and what a test makes of it.

    `answers` stand for the registry's own, by path or by operation of AWS, `moments` the same but only once each; of
    writes only `limit` pass; what is `deaf`, by method and the beginning of the path, is done once and never answered.
    """

    registry: httpx.Client
    asked: list[str] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    moments: list[tuple[str, Answer]] = field(default_factory=list)  # by the beginning of method and path
    deaf: list[str] = field(default_factory=list)
    limit: int | None = None
    times: list[tuple[str, float]] = field(default_factory=list)  # what was asked, and when

    @property
    def writes(self) -> list[str]:
        return [line for line in self.asked if line.startswith(("POST /v2/", "PUT /v2/", "PATCH /v2/"))]

    def cut_after(self, writes: int) -> "Between":
        self.reset()
        self.limit = writes
        return self

    def reset(self) -> None:
        for what in (self.asked, self.answers, self.moments, self.deaf, self.times):
            what.clear()
        self.limit = None

    def answer(self, asked: Asked) -> Answer:
        line = f"{asked.method} {asked.path}"
        self.asked.append(line)
        self.times.append((line, time.monotonic()))
        if self.limit is not None and len(self.writes) > self.limit:
            return CUT
        for moment in self.moments:
            if line.startswith(moment[0]):
                self.moments.remove(moment)
                return moment[1]
        name = asked.headers.get("X-Amz-Target", asked.path.partition("?")[0])
        if name in self.answers:
            return self.answers[name]
        got = self.registry.request(asked.method, asked.path, content=asked.body, headers=asked.headers)
        for start in self.deaf:
            if line.startswith(start):
                self.deaf.remove(start)
                return CUT
        kept = {name: value for name, value in got.headers.items() if name not in _OURS}
        return Answer(got.status_code, got.content, kept)


@dataclass(frozen=True)
class World:
    """A registry of two accounts, and the way to it."""

    endpoint: str  # of AWS, with the test's proxy before it
    direct: str  # the same without
    door: str
    authority: Path
    between: Between


@dataclass(frozen=True)
class Side:
    """One repository, and how a build pushes to it: not through the door."""

    url: str
    name: str
    api: Registry

    def push(self, layers: list[bytes], *, labels: dict[str, str] | None = None, **more: Any) -> str:
        """An image."""
        config = json.dumps({"created": "2026-11-20T10:00:00Z", "config": {"Labels": labels}}).encode()
        content = {
            "schemaVersion": 2,
            "config": self.blob(config, CONFIG),
            "layers": [self.blob(layer, LAYER) for layer in layers],
            **more,
        }
        # Bytes that no library would write the same way again.
        return self.put(json.dumps(content, indent=3, separators=(" ,", " : ")).encode() + b"\n", MANIFEST)

    def push_index(self, *children: dict[str, Any], tag: str = "") -> str:
        raw = json.dumps({"mediaType": INDEX, "manifests": children, "schemaVersion": 2}).encode()
        return self.put(raw, INDEX, tag)

    def push_artifact(self, subject: str, seed: str) -> str:
        """A signature, SBOM or attestation of `subject`."""
        raw = self.api.manifest(self.name, subject)[0]
        named = {"mediaType": MANIFEST, "digest": subject, "size": len(raw)}
        return self.push([seed.encode()], artifactType="application/spdx+json", subject=named)

    def tag(self, digest: str, tag: str) -> None:
        raw, kind = self.api.manifest(self.name, digest)
        self.put(raw, kind, tag)

    def put(self, raw: bytes, kind: str, tag: str = "") -> str:
        return self.api.push_manifest(self.name, tag or digest_of(raw), raw, kind)

    def blob(self, data: bytes, kind: str) -> dict[str, Any]:
        return {"mediaType": kind, "digest": self.api.push_blob(self.name, data), "size": len(data)}

    def described(self, digest: str, platform: str = "") -> dict[str, Any]:
        raw, kind = self.api.manifest(self.name, digest)
        named = dict(zip(("os", "architecture"), platform.split("/"), strict=True)) if platform else {}
        return {"mediaType": kind, "digest": digest, "size": len(raw)} | ({"platform": named} if named else {})

    def has(self, reference: str) -> bool:
        try:
            self.api.manifest(self.name, reference)
        except NotInRegistry:
            return False
        return True

    def is_whole(self, reference: str) -> bool:
        """Everything that the manifest names is here, and hashes to its name."""
        data = json.loads(self.api.manifest(self.name, reference)[0])
        below = [
            entry["digest"] for entry in (*data.get("layers", []), *([data["config"]] if "config" in data else []))
        ]
        for blob in below:
            self.api.blob(self.name, blob)  # raises when it is missing or another
        return all(self.is_whole(child["digest"]) for child in data.get("manifests", []))


class At(Registry):
    """The registry as one account and region sees it: it tells them by the host that is asked for."""

    def __init__(self, endpoint: str, host: str) -> None:
        super().__init__(endpoint)
        self._http.headers["Host"] = host


def side(world: World, place: tuple[str, str], name: str = "") -> Side:
    account, region = place
    name, host = name or f"team/web-{uuid4().hex[:8]}", f"{account}.dkr.ecr.{region}.amazonaws.com"
    client = boto3.client(
        "ecr", endpoint_url=world.direct, region_name=region, aws_access_key_id=account, aws_secret_access_key="x"
    )
    client.create_repository(repositoryName=name)
    return Side(f"{host}/{name}", name, At(world.direct, host))


def bytes_of(side: Side, reference: str) -> tuple[bytes, str]:
    return side.api.manifest(side.name, reference)
