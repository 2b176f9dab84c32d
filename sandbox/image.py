"""Builds the service into a real OCI image without Docker, and pushes it.

Comes in: the service's folder inside a checkout that has its `uv.lock`, a commit, a version. Goes out: manifest,
configuration and two layers (dependencies, code), the same bytes for the same source and commit, whatever the
folder, the time, the umask or the cache. The image holds no interpreter and no operating system on purpose: no
base can be had without a registry, so only a runtime that brings its own Python, such as the sandbox's App
Runner, can run it. service/Dockerfile builds the image for everybody else. It never runs the service's code.
"""

import gzip
import hashlib
import io
import json
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from releasectl.errors import ControllerError, Retry
from sandbox.process import find_uv
from sandbox.registry import Registry, digest_of

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
USER = "10001"
_PACKAGE = "web"  # the folder below src/ and the module that the image runs
_EPOCH = "1970-01-01T00:00:00Z"
_FORMAT = "1"  # part of the cache's key: count up when a dependencies layer is made in another way
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# What an installer leaves behind that says where or when it ran, or that is made again when needed.
_TRACES = {"RECORD", "REQUESTED", "INSTALLER", "direct_url.json", "uv_cache.json", "uv_build.json", ".lock"}


class CannotBuild(ControllerError):
    """The image could not be built: no source, no uv, or a dependency that could not be had."""

    retry = Retry.AFTER_CHANGE


@dataclass(frozen=True)
class Image:
    """`manifest` hashes to `digest`; `blobs` holds configuration and layers by their digests."""

    digest: str
    manifest: bytes
    media_type: str
    blobs: Mapping[str, bytes]


def build(source: Path, *, commit: str, version: str, cache: Path, variables: Mapping[str, str] | None = None) -> Image:
    """The image of the service in `source`, e.g. `<checkout>/service`.

    `cache` keeps the dependencies layer; `variables` become the image's own environment, e.g.
    {"WEB_FAIL": "health"} for an image that is broken on purpose. Raises CannotBuild.
    """
    code = _code(source, {"version": version, "commit": commit})
    layers = [_dependencies(source, cache), code]
    environment = {"PYTHONPATH": "/app:/app/site-packages", **(variables or {})}
    config = _config(environment, {"revision": commit, "version": version}, layers)
    blobs = {digest_of(blob): blob for blob in (config, *layers)}
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _descriptor(CONFIG_TYPE, config),
            "layers": [_descriptor(LAYER_TYPE, layer) for layer in layers],
        }
    )
    return Image(digest_of(manifest), manifest, MANIFEST_TYPE, blobs)


def push(image: Image, registry: Registry, repository: str, tags: Sequence[str]) -> str:
    """Uploads what the repository does not have yet and tags it; returns the digest.

    Without tags the image is there by its digest alone. Raises the registry's errors.
    """
    for digest, blob in image.blobs.items():
        if not registry.has_blob(repository, digest):
            registry.push_blob(repository, blob)
    for reference in tags or [image.digest]:
        registry.push_manifest(repository, reference, image.manifest, image.media_type)
    return image.digest


def _config(environment: Mapping[str, str], labels: Mapping[str, str], layers: Sequence[bytes]) -> bytes:
    machine = platform.machine().lower()
    return _json(
        {
            "architecture": _ARCHITECTURES.get(machine, machine),
            "os": platform.system().lower(),
            "created": _EPOCH,
            "config": {
                "Entrypoint": ["python", "-m", _PACKAGE],
                "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
                "ExposedPorts": {"8000/tcp": {}},
                "Labels": {f"org.opencontainers.image.{key}": value for key, value in labels.items()},
                "User": USER,
                "WorkingDir": "/app",
            },
            "rootfs": {"type": "layers", "diff_ids": [digest_of(gzip.decompress(layer)) for layer in layers]},
        }
    )


def _code(source: Path, build_of: Mapping[str, str]) -> bytes:
    folder = source / "src" / _PACKAGE
    if not (folder / "__main__.py").is_file():
        raise CannotBuild(f"building {source}: no src/{_PACKAGE}/__main__.py", "Name the service's folder.")
    files = {f"app/{_PACKAGE}/{name}": data for name, data in _files(folder)}
    return _layer(files | {f"app/{_PACKAGE}/build.json": _json(build_of)})


def _dependencies(source: Path, cache: Path) -> bytes:
    """The layer with what the lock file pins for the service, from the cache if it was made before."""
    requirements = _uv("export", "--project", str(source), *_EXPORT)
    about = (_FORMAT, sys.implementation.cache_tag, sysconfig.get_platform(), requirements)
    key = hashlib.sha256("\n".join(about).encode()).hexdigest()
    kept = cache / f"dependencies-{key[:32]}.tar.gz"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            fresh = Path(scratch) / kept.name
            fresh.write_bytes(_installed(requirements, Path(scratch)))
            fresh.replace(kept)  # whole or not at all, also when two builds run at once
    return kept.read_bytes()


_EXPORT = ("--frozen", "--no-dev", "--no-emit-workspace", "--no-header", "--no-annotate", "--quiet")
# Wheels only and with hashes: installing runs no code of a dependency.
_INSTALL = ("--quiet", "--no-deps", "--require-hashes", "--no-build", "--python", sys.executable)


def _installed(requirements: str, scratch: Path) -> bytes:
    listed, target = scratch / "requirements.txt", scratch / "site-packages"
    listed.write_text(requirements, "utf-8")
    _uv("pip", "install", *_INSTALL, "--target", str(target), "--requirements", str(listed))
    shutil.rmtree(target / "bin", ignore_errors=True)  # launchers that name this machine's Python
    return _layer({f"app/site-packages/{name}": data for name, data in _files(target)})


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Regular files below `folder` by their relative names, without compiled code and installers' traces."""
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_file() or path.suffix == ".pyc" or path.name in _TRACES:
            continue
        yield path.relative_to(folder).as_posix(), path.read_bytes()


def _layer(files: Mapping[str, bytes]) -> bytes:
    """A compressed tar of `files` and their folders: sorted, owned by root, readable by all, without times."""
    folders = {str(parent) for name in files for parent in PurePosixPath(name).parents} - {"."}
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(folders | set(files)):
            member = tarfile.TarInfo(name)
            if name in folders:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(member)
            else:
                member.size, member.mode = len(files[name]), 0o644
                archive.addfile(member, io.BytesIO(files[name]))
    return gzip.compress(raw.getvalue(), compresslevel=6, mtime=0)


def _uv(*arguments: str) -> str:
    """What `uv` prints, started without a shell. Raises CannotBuild with its last words."""
    done = subprocess.run([find_uv(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotBuild(
            f"building the service with `uv {arguments[0]}`: {done.stderr.strip()}",
            "Check the folder, uv.lock and the connection to the package index, then build again.",
        )
    return done.stdout


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(blob), "size": len(blob)}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
