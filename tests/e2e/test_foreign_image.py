"""An image that somebody else's tool built: service/Dockerfile, built and pushed by buildah, runs like our own.

No base image can be had without a registry, so debootstrap makes one, once a machine, and it gets the name that
the Dockerfile's BASE has. The Dockerfile itself is the one that everybody builds. Needs Linux, root, buildah and
debootstrap; where one is missing the test is skipped and says so.
"""

import gzip
import hashlib
import inspect
import io
import json
import os
import platform
import shutil
import ssl
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from sandbox.registry import Registry
from tests.e2e.conftest import Story

PROJECT = Path(__file__).resolve().parents[2]
DOCKERFILE = PROJECT / "service" / "Dockerfile"
SUITE = "trixie"  # Debian's with Python 3.13, as the Dockerfile's own base
REGION = "eu-west-1"
COMMIT = "9a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
LARGEST = 170_000_000  # bytes, unpacked: what the image may have
OURS = 25_000_000  # bytes, unpacked: what the Dockerfile may add to its base
PATIENCE = 60


def _missing() -> str:
    """Why no foreign image can be built here, "" if it can."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        return "buildah and debootstrap need Linux and root"
    absent = [tool for tool in ("buildah", "debootstrap") if not shutil.which(tool)]
    return f"not installed: {' and '.join(absent)} (Debian packages of the same name)" if absent else ""


pytestmark = pytest.mark.skipif(bool(_missing()), reason=f"no foreign image can be built here: {_missing()}")


@dataclass(frozen=True)
class Pushed:
    repository: str
    digest: str


@pytest.fixture(scope="module")
def pushed(story: Story) -> Pushed:
    """The Dockerfile's image in staging's registry, put there by buildah alone."""
    endpoint, repository = story.sandbox.variables["AWS_ENDPOINT_URL"], story.repository.partition("/")[2]
    with tempfile.TemporaryDirectory(prefix="foreign-image-") as scratch:
        buildah = Buildah(Path(scratch))
        buildah.make_base(_base_name(), _base_archive())
        buildah.build("web")
        digest = buildah.push("web", f"{endpoint.removeprefix('http://')}/{repository}:sha-{COMMIT[:12]}")
    return Pushed(repository, digest)


@pytest.fixture
def registry(story: Story) -> Registry:
    return Registry(story.sandbox.variables["AWS_ENDPOINT_URL"])


def test_the_registry_knows_it_by_the_digest_that_buildah_says(registry: Registry, pushed: Pushed) -> None:
    by_tag, _ = registry.manifest(pushed.repository, f"sha-{COMMIT[:12]}")

    assert f"sha256:{hashlib.sha256(by_tag).hexdigest()}" == pushed.digest


def test_it_is_small_belongs_to_an_ordinary_user_and_holds_no_build_tools(registry: Registry, pushed: Pushed) -> None:
    manifest = json.loads(registry.manifest(pushed.repository, pushed.digest)[0])
    config = json.loads(registry.blob(pushed.repository, manifest["config"]["digest"]))
    layers = [gzip.decompress(registry.blob(pushed.repository, layer["digest"])) for layer in manifest["layers"]]

    assert sum(map(len, layers)) <= LARGEST
    assert sum(map(len, layers[1:])) <= OURS
    assert config["config"]["User"] == "10001"
    assert config["config"]["ExposedPorts"] == {"8000/tcp": {}}
    assert config["config"]["Labels"]["org.opencontainers.image.revision"] == COMMIT
    assert not {name for layer in layers for name in _programs(layer)} & {"uv", "gcc", "cc", "make", "git"}


def test_it_is_bumped_released_and_proven_like_any_other(story: Story, pushed: Pushed) -> None:
    bumped = story.releasectl("bump", "web", pushed.digest, "--commit", COMMIT, "--version", "1.4.0")
    assert bumped.code == 0, bumped.err

    released = story.releasectl("reconcile", "staging")

    assert released.code == 0, released.err
    assert story.last()["serving"] == {"web": pushed.digest}
    told = httpx.get(f"{story.status()['services']['web']['url']}/version", verify=story.sandbox.tls())
    assert told.json() == {
        "version": "1.4.0",
        "commit": COMMIT,
        "digest": pushed.digest,
        "environment": "staging",
    }


class Buildah:
    """buildah with a storage of its own, without daemon, mounts or containers of the machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        storage = ("--root", str(folder / "storage"), "--runroot", str(folder / "run"))
        self.argv = ("buildah", "--storage-driver", "vfs", *storage)

    def make_base(self, name: str, archive: Path) -> None:
        recipe = self.folder / "Dockerfile.base"
        recipe.write_text(f"FROM scratch\nADD {archive.name} /\n")
        self._run("build", "--isolation", "chroot", "-t", name, "-f", str(recipe), str(archive.parent))

    def build(self, name: str) -> None:
        """As service/Dockerfile's head says, with the repository's root as the context."""
        arguments = ("--build-arg", f"REVISION={COMMIT}", "--build-arg", "VERSION=1.4.0")
        ignore = ("--ignorefile", f"{DOCKERFILE}.dockerignore")
        recipe = ("-t", name, "-f", str(DOCKERFILE), str(PROJECT))
        self._run("build", "--isolation", "chroot", "--pull-never", *arguments, *ignore, *recipe)

    def push(self, name: str, where: str) -> str:
        """The digest that the registry was given."""
        told = self.folder / "digest"
        self._run("push", "--tls-verify=false", "--digestfile", str(told), name, f"docker://{where}")
        return told.read_text().strip()

    def _run(self, *arguments: str) -> None:
        _run(*self.argv, *arguments)


def _base_name() -> str:
    (line,) = (line for line in DOCKERFILE.read_text().splitlines() if line.startswith("ARG BASE="))
    return line.removeprefix("ARG BASE=")


def _base_archive() -> Path:
    """A small Debian with Python as one tar file, from the user's cache folder; making it takes half a minute."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "release-controller"
    authorities = Path(os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or os.devnull)
    recipe = f"{_PACKAGES} {_NOT_NEEDED} {_EMPTIED} {inspect.getsource(_furnish)}"
    key = hashlib.sha256(recipe.encode() + authorities.read_bytes()).hexdigest()[:12]
    kept = home / f"foreign-base-{SUITE}-{key}" / "base.tar"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            root = Path(scratch) / "root"
            _run("debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", SUITE, str(root))
            _furnish(root, authorities)
            _run("tar", "--create", "--file", f"{scratch}/base.tar", "--directory", str(root), ".")
            (Path(scratch) / "base.tar").replace(kept)
    return kept


_PACKAGES = ("ca-certificates", "python3", "python3-pip")
_NOT_NEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/log")
_EMPTIED = ("var/cache/apt", "var/lib/apt/lists")


def _furnish(root: Path, authorities: Path) -> None:
    """What official Python images do, and the authorities that this machine trusts: it may sit behind a proxy."""
    for folder in (*_NOT_NEEDED, *_EMPTIED):
        shutil.rmtree(root / folder, ignore_errors=True)
    for folder in _EMPTIED:
        (root / folder / "partial").mkdir(parents=True)
    (root / "usr/bin/python").symlink_to("python3")
    for marker in (root / "usr/lib").glob("python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    for compiled in list(root.rglob("__pycache__")):
        shutil.rmtree(compiled)
    shutil.copyfile(authorities, root / "etc/ssl/certs/ca-certificates.crt")
    (root / "etc/uv").mkdir()
    (root / "etc/uv/uv.toml").write_text("system-certs = true\n")


def _programs(layer: bytes) -> set[str]:
    """Names of the files in folders for programs."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        return {Path(name).name for name in archive.getnames() if Path(name).parent.name in {"bin", "sbin"}}


def _run(*argv: str) -> None:
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}\n{done.stdout[-4000:]}"
