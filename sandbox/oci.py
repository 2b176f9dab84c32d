"""Pull an image from a registry and unpack it into a store, as a container runtime does.

Comes in: a registry, a repository, a tag or digest, the store's folder. Goes out: an Image, which is the
folder of the unpacked root file system and what the image's configuration says. Every digest is computed and
compared, the uncompressed layers' too. A layer never writes outside the root that it is unpacked into, set-user-id
bits and device nodes are left out, and one chain of layers is unpacked once.
"""

import contextlib
import gzip
import hashlib
import io
import json
import os
import platform
import shutil
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from releasectl.errors import ControllerError
from sandbox.registry import Registry, digest_of

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
LARGEST = 8 << 30  # bytes of one uncompressed layer; more is a bomb or a mistake
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_SYMLINKS = 40  # what Linux follows before it says ELOOP


class BadImage(ControllerError):
    """The registry holds something that is not an image that can run here."""


@dataclass(frozen=True)
class Image:
    """`digest` is the manifest's; `root` is shared by all who run it and must not be written to."""

    digest: str
    root: Path
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: Mapping[str, str]
    working_dir: str
    user: str


def pull(registry: Registry, repository: str, reference: str, store: Path) -> Image:
    """Fetch `repository` by tag or digest and unpack it below `store`. Raises ControllerError."""
    digest, manifest = _manifest(registry, repository, reference)
    name = f"{repository}@{digest}"
    config = _parse(_blob(registry, repository, manifest["config"]["digest"]), name)
    root = _unpacked(registry, repository, manifest, config, store=store)
    settings = config.get("config") or {}
    return Image(
        digest=digest,
        root=root,
        entrypoint=tuple(settings.get("Entrypoint") or ()),
        command=tuple(settings.get("Cmd") or ()),
        environment=dict(entry.split("=", 1) for entry in settings.get("Env") or () if "=" in entry),
        working_dir=settings.get("WorkingDir") or "/",
        user=settings.get("User") or "",
    )


def inside(root: Path, path: str, *, follow_last: bool = True) -> Path:
    """Where `path` lies when `root` is `/`: symbolic links are resolved against the root, `..` stops at it.

    Raises BadImage on a circle of links. The result need not exist.
    """
    todo = list(reversed(PurePosixPath(path).parts))
    found: list[str] = []
    links = 0
    while todo:
        part = todo.pop()
        if part in ("/", "..", "."):
            found = [] if part == "/" else found[:-1]
            continue
        here = root.joinpath(*found, part)
        if here.is_symlink() and (todo or follow_last):
            links += 1
            if links > _SYMLINKS:
                raise BadImage(f"resolving {path} in an image: too many symbolic links", "Mend the image.")
            todo.extend(reversed(PurePosixPath(here.readlink()).parts))
        else:
            found.append(part)
    return root.joinpath(*found)


def _manifest(registry: Registry, repository: str, reference: str) -> tuple[str, Mapping[str, Any]]:
    raw, media_type = registry.manifest(repository, reference)
    digest = digest_of(raw)
    if reference.startswith("sha256:"):
        _same(reference, digest, f"manifest of {repository}")
    manifest = _parse(raw, f"{repository}@{digest}")
    if manifest.get("mediaType", media_type) in INDEX_TYPES:
        return _manifest(registry, repository, _for_this_machine(manifest, f"{repository}@{digest}"))
    if not isinstance(manifest.get("config"), dict) or not isinstance(manifest.get("layers"), list):
        raise BadImage(f"reading {repository}@{digest}: no image manifest", "Push an OCI or Docker image.")
    return digest, manifest


def _for_this_machine(index: Mapping[str, Any], name: str) -> str:
    machine = platform.machine().lower()
    architecture = _ARCHITECTURES.get(machine, machine)
    for child in index.get("manifests", ()):
        about = child.get("platform") or {}
        if about.get("os") == "linux" and about.get("architecture") == architecture:
            return str(child["digest"])
    raise BadImage(f"choosing from {name}: no image for linux/{architecture}", "Build it for this machine too.")


def _parse(raw: bytes, name: str) -> Mapping[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise BadImage(f"reading {name}: no JSON: {error}", "Push the image again.") from error
    if not isinstance(value, dict):
        raise BadImage(f"reading {name}: no JSON object", "Push the image again.")
    return value


def _blob(registry: Registry, repository: str, digest: str) -> bytes:
    data = registry.blob(repository, digest)
    _same(digest, digest_of(data), f"blob of {repository}")
    return data


def _same(expected: str, actual: str, what: str) -> None:
    if expected != actual:
        raise BadImage(f"checking the {what}: digest is {actual} and not {expected}", "Push the image again.")


def _unpacked(
    registry: Registry,
    repository: str,
    manifest: Mapping[str, Any],
    config: Mapping[str, Any],
    *,
    store: Path,
) -> Path:
    layers = manifest["layers"]
    differences = (config.get("rootfs") or {}).get("diff_ids") or []
    if len(layers) != len(differences):
        raise BadImage(f"reading {repository}: layers and diff_ids differ in number", "Push the image again.")
    root = store / _chain(differences)
    if root.is_dir():
        return root
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="unpacking-", dir=store))
    try:
        for layer, difference in zip(layers, differences, strict=True):
            with _uncompressed(_blob(registry, repository, layer["digest"]), layer, difference) as data:
                unpack(data, fresh)
        fresh.chmod(0o755)
        with contextlib.suppress(OSError):  # somebody else was first with the same content
            fresh.rename(root)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    if not root.is_dir():
        raise BadImage(f"storing {repository} at {root}: no such folder", "Give the sandbox a folder to write to.")
    return root


def _chain(differences: list[str]) -> str:
    """The OCI ChainID's hexadecimal digits: names a sequence of layers, not only the last."""
    chain = differences[0] if differences else digest_of(b"")
    for difference in differences[1:]:
        chain = digest_of(f"{chain} {difference}".encode())
    return chain.removeprefix("sha256:")


@contextlib.contextmanager
def _uncompressed(data: bytes, layer: Mapping[str, Any], difference: str) -> Iterator[IO[bytes]]:
    media_type = str(layer.get("mediaType", ""))
    if "zstd" in media_type:
        raise BadImage(f"unpacking layer {layer['digest']}: zstd is not known here", "Compress with gzip.")
    seen, size = hashlib.sha256(), 0
    source: io.BufferedIOBase = io.BytesIO(data)
    if media_type.endswith("gzip"):
        source = gzip.GzipFile(fileobj=source)
    with tempfile.TemporaryFile() as whole:
        try:
            while block := source.read(1 << 20):
                seen.update(block)
                whole.write(block)
                size += len(block)
                if size > LARGEST:
                    raise BadImage(f"unpacking layer {layer['digest']}: over 8 GiB", "Make it smaller.")
        except (OSError, EOFError, zlib.error) as error:
            raise BadImage(f"unpacking layer {layer['digest']}: {error}", "Push the image again.") from error
        _same(difference, f"sha256:{seen.hexdigest()}", f"uncompressed layer {layer['digest']}")
        whole.seek(0)
        yield whole


def unpack(data: IO[bytes], root: Path) -> None:
    """Lay one uncompressed tar layer over `root`. Raises BadImage on a member that would leave it."""
    try:
        with tarfile.open(fileobj=data, mode="r:") as archive:
            members = archive.getmembers()
            # Whiteouts speak of the layers below, whatever their place in this one.
            for member in members:
                _white_out(root, member)
            for member in members:
                if not _name(member).name.startswith(_WHITEOUT):
                    _lay(archive, member, root)
            for member in reversed(members):
                if member.isdir():
                    _permit(inside(root, str(_name(member)), follow_last=False), member)
    except (tarfile.TarError, OSError) as error:
        raise BadImage(f"unpacking a layer: {error}", "Build the image again.") from error


def _name(member: tarfile.TarInfo) -> PurePosixPath:
    """The member's path below the root. Raises BadImage when it is absolute or climbs."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise BadImage(f"unpacking a layer: {member.name!r} leaves the image's root", "Do not trust this image.")
    return path


def _white_out(root: Path, member: tarfile.TarInfo) -> None:
    path = _name(member)
    if not path.name.startswith(_WHITEOUT):
        return
    folder = inside(root, str(path.parent))
    if path.name == _OPAQUE:
        for child in folder.iterdir() if folder.is_dir() else ():
            _remove(child)
        return
    hidden = path.name.removeprefix(_WHITEOUT)
    if hidden in ("", ".", ".."):
        raise BadImage(f"unpacking a layer: {member.name!r} hides no file", "Do not trust this image.")
    _remove(folder / hidden)


def _lay(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    path = _name(member)
    if not path.parts or (member.isdev() and not member.isfifo()):
        return  # the root itself; devices are given by whoever runs the image
    folder = inside(root, str(path.parent))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / path.name
    if not (member.isdir() and target.is_dir() and not target.is_symlink()):
        _remove(target)
    if member.isdir():
        target.mkdir(exist_ok=True)
    elif member.issym():
        target.symlink_to(member.linkname)
    elif member.islnk():
        _link(member, target, root)
        return
    elif member.isfifo():
        os.mkfifo(target)
    else:
        _copy(archive, member, target)
    if not member.isdir():
        _permit(target, member)


def _link(member: tarfile.TarInfo, target: Path, root: Path) -> None:
    if PurePosixPath(member.linkname).is_absolute() or ".." in PurePosixPath(member.linkname).parts:
        raise BadImage(
            f"unpacking a layer: the link {member.name!r} to {member.linkname!r} leaves the image's root",
            "Do not trust this image.",
        )
    source = inside(root, member.linkname, follow_last=False)
    os.link(source, target, follow_symlinks=False)


def _copy(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = archive.extractfile(member)
    if content is None:
        raise BadImage(f"unpacking a layer: {member.name!r} is of an unknown kind", "Build the image again.")
    with content, target.open("xb") as file:
        shutil.copyfileobj(content, file)


def _permit(target: Path, member: tarfile.TarInfo) -> None:
    if os.geteuid() == 0:
        os.chown(target, member.uid, member.gid, follow_symlinks=False)
    if member.issym():
        return
    # A set-user-id file in the store would be one for everybody on this machine.
    mode = member.mode & (0o777 | stat.S_ISVTX)
    target.chmod(mode if os.geteuid() == 0 else mode | (0o700 if member.isdir() else 0o600))
    os.utime(target, (member.mtime, member.mtime))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
