"""The image builder: one source, one digest; and what it builds really runs."""

import gzip
import io
import json
import os
import shutil
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from sandbox.image import CannotBuild, Image, build, push
from sandbox.oci import pull
from sandbox.registry import Registry, RegistryRefused, digest_of
from service.tests.running import service, until_it_answers

PROJECT = Path(__file__).resolve().parents[2]
COMMIT = "9a1b2c3d4e5f60718293a4b5c6d7e8f901234567"


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the tests that are not about caches: dependencies are installed once."""
    return tmp_path_factory.mktemp("image-cache")


@pytest.fixture(scope="session")
def image(cache: Path) -> Image:
    return build(PROJECT / "service", commit=COMMIT, version="1.4.0", cache=cache)


@pytest.fixture
def repository(ministack: str) -> str:
    """A new repository with immutable tags."""
    name = f"image-{uuid4().hex[:8]}"
    _ecr(ministack).create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    return name


def test_folder_time_umask_and_cache_do_not_change_the_digest(tmp_path: Path, image: Image) -> None:
    source = checkout(tmp_path / "elsewhere")
    (source / "src/web/__pycache__").mkdir()
    (source / "src/web/__pycache__/app.cpython-311.pyc").write_bytes(b"compiled")
    for path in source.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o700)

    with umask(0o077):
        again = build(source, commit=COMMIT, version="1.4.0", cache=tmp_path / "other-cache")

    assert again == image


def test_everything_is_named_by_the_hash_of_its_bytes(image: Image) -> None:
    manifest = json.loads(image.manifest)
    named = [manifest["config"], *manifest["layers"]]

    assert digest_of(image.manifest) == image.digest
    assert {part["digest"]: part["size"] for part in named} == {
        digest_of(blob): len(blob) for blob in image.blobs.values()
    }
    assert config(image)["rootfs"]["diff_ids"] == [digest_of(gzip.decompress(layer)) for layer in layers(image)]


def test_another_commit_changes_the_code_layer_and_keeps_the_dependencies(image: Image, cache: Path) -> None:
    other = build(PROJECT / "service", commit="f" * 40, version="1.4.0", cache=cache)

    assert other.digest != image.digest
    assert layers(other)[0] == layers(image)[0]
    assert layers(other)[1] != layers(image)[1]


def test_commit_and_version_are_in_the_code_layer_and_in_the_labels(image: Image) -> None:
    with members(layers(image)[1]) as archive:
        baked = archive.extractfile("app/web/build.json")
        assert baked is not None
        assert json.load(baked) == {"commit": COMMIT, "version": "1.4.0"}

    assert config(image)["config"]["Labels"] == {
        "org.opencontainers.image.revision": COMMIT,
        "org.opencontainers.image.version": "1.4.0",
    }


def test_the_image_runs_the_module_as_an_ordinary_user_on_port_8000(image: Image) -> None:
    assert config(image)["config"] | {"Labels": {}} == {
        "Entrypoint": ["python", "-m", "web"],
        "Env": ["PYTHONPATH=/app:/app/site-packages"],
        "ExposedPorts": {"8000/tcp": {}},
        "Labels": {},
        "User": "10001",
        "WorkingDir": "/app",
    }


def test_layers_hold_code_and_its_dependencies_only(image: Image) -> None:
    with members(layers(image)[0]) as dependencies, members(layers(image)[1]) as code:
        names = dependencies.getnames() + code.getnames()
        everything = dependencies.getmembers() + code.getmembers()

    assert {"app/web/__main__.py", "app/site-packages/fastapi/__init__.py"} <= set(names)
    assert not [name for name in names if name.endswith((".pyc", "/RECORD", "/bin", ".lock"))]
    assert not [name for name in names if "/pytest/" in name or "/httpx" in name]
    assert {(member.mtime, member.uid, member.gid, member.mode) for member in everything} == {
        (0, 0, 0, 0o644),
        (0, 0, 0, 0o755),
    }


def test_variables_are_baked_into_the_image(image: Image, cache: Path) -> None:
    broken = build(PROJECT / "service", commit=COMMIT, version="1.4.0", cache=cache, variables={"WEB_FAIL": "health"})

    assert "WEB_FAIL=health" in config(broken)["config"]["Env"]
    assert layers(broken) == layers(image)
    assert broken.digest != image.digest


def test_a_code_change_rebuilds_in_well_under_two_seconds(tmp_path: Path, image: Image, cache: Path) -> None:
    source = checkout(tmp_path)
    with (source / "src/web/app.py").open("a") as code:
        code.write("# changed\n")
    began = time.monotonic()

    changed = build(source, commit=COMMIT, version="1.4.0", cache=cache)

    assert time.monotonic() - began < 2
    assert layers(changed)[0] == layers(image)[0]
    assert changed.digest != image.digest


def test_a_folder_that_is_not_the_service_is_refused(tmp_path: Path) -> None:
    source = checkout(tmp_path)
    (source / "src/web/__main__.py").unlink()

    with pytest.raises(CannotBuild, match=r"no src/web/__main__\.py"):
        build(source, commit=COMMIT, version="1.4.0", cache=tmp_path / "cache")


def test_without_a_lock_file_nothing_is_built_and_the_error_has_a_remedy(tmp_path: Path) -> None:
    source = checkout(tmp_path)
    (tmp_path / "uv.lock").unlink()

    with pytest.raises(CannotBuild, match="uv export") as error:
        build(source, commit=COMMIT, version="1.4.0", cache=tmp_path / "cache")

    assert "uv.lock" in error.value.remedy
    assert not (tmp_path / "cache").exists()


def test_a_pushed_image_is_known_to_the_registry_by_digest_and_tag(
    ministack: str, repository: str, image: Image
) -> None:
    registry = Registry(ministack)

    digest = push(image, registry, repository, ["sha-9a1b2c3", "v1.4.0"])

    assert registry.manifest(repository, digest) == (image.manifest, image.media_type)
    (described,) = _ecr(ministack).describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])[
        "imageDetails"
    ]
    assert sorted(described["imageTags"]) == ["sha-9a1b2c3", "v1.4.0"]


def test_a_second_push_sends_no_blob_again(ministack: str, repository: str, image: Image) -> None:
    registry = CountingRegistry(ministack)

    first = push(image, registry, repository, ["v1.4.0"])
    sent = list(registry.sent)
    second = push(image, registry, repository, ["v1.4.0", "v1.4"])

    assert (first, second) == (image.digest, image.digest)
    assert sorted(sent) == sorted(image.blobs)
    assert registry.sent == sent


def test_a_code_change_sends_the_small_blobs_only(ministack: str, repository: str, image: Image, cache: Path) -> None:
    registry = CountingRegistry(ministack)
    push(image, registry, repository, [])
    registry.sent.clear()

    push(build(PROJECT / "service", commit="f" * 40, version="1.4.1", cache=cache), registry, repository, [])

    assert len(registry.sent) == 2
    assert digest_of(layers(image)[0]) not in registry.sent


def test_another_image_never_takes_a_tag_that_is_in_use(
    ministack: str, repository: str, image: Image, cache: Path
) -> None:
    registry = Registry(ministack)
    push(image, registry, repository, ["v1.4.0"])
    other = build(PROJECT / "service", commit="f" * 40, version="1.4.0", cache=cache)

    with pytest.raises(RegistryRefused, match=r"the tag v1\.4\.0 is immutable"):
        push(other, registry, repository, ["v1.4.0"])


def test_the_unpacked_image_runs_and_proves_its_commit(
    ministack: str, repository: str, image: Image, tmp_path: Path
) -> None:
    registry = Registry(ministack)
    push(image, registry, repository, [])
    pulled = pull(registry, repository, image.digest, tmp_path / "store")
    search = os.pathsep.join(str(pulled.root / folder) for folder in ("app", "app/site-packages"))
    variables = {"PYTHONPATH": search, "RELEASE_DIGEST": pulled.digest, "RELEASE_ENVIRONMENT": "staging"}

    # -S: the interpreter's own packages are out of reach, so the image must bring every one of its own.
    with service(tmp_path, variables, ("-S", "-m", "web")) as running:
        until_it_answers(running)

        assert running.get("/version").json() == {
            "version": "1.4.0",
            "commit": COMMIT,
            "digest": image.digest,
            "environment": "staging",
        }


class CountingRegistry(Registry):
    """The real registry client, which also remembers what it uploaded."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint)
        self.sent: list[str] = []

    def push_blob(self, repository: str, data: bytes) -> str:
        self.sent.append(super().push_blob(repository, data))
        return self.sent[-1]


def checkout(folder: Path) -> Path:
    """A copy of what a build needs; returns the service's folder in it."""
    folder.mkdir(exist_ok=True)
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(PROJECT / name, folder / name)
    shutil.copytree(PROJECT / "service", folder / "service", ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "service"


def layers(image: Image) -> list[bytes]:
    """Dependencies, then code."""
    return [image.blobs[layer["digest"]] for layer in json.loads(image.manifest)["layers"]]


def config(image: Image) -> Mapping[str, Any]:
    value: Mapping[str, Any] = json.loads(image.blobs[json.loads(image.manifest)["config"]["digest"]])
    return value


def members(layer: bytes) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(layer))


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _ecr(ministack: str) -> Any:
    return boto3.client(
        "ecr",
        endpoint_url=ministack,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
