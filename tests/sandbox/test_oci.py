"""Images are unpacked as a container runtime does it: all digests compared, nothing outside the root."""

import gzip
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from releasectl.errors import ControllerError
from sandbox.oci import BadImage, inside, pull, unpack
from sandbox.registry import Registry, digest_of
from tests.sandbox.conftest import LAYER, MANIFEST, layer, push_layers

REPOSITORY = "team/web"


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    stream.seek(0)
    return stream


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, target, mode
    return member


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root beside a file that no layer may touch."""
    (tmp_path / "outside").write_text("untouched")
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.mark.parametrize(
    "members",
    [
        [(entry("../outside"), b"evil")],
        [(entry("/etc/passwd"), b"evil")],
        [(entry("a/../../outside"), b"evil")],
        [(entry("hard", tarfile.LNKTYPE, "../outside"), b"")],
        [(entry("hard", tarfile.LNKTYPE, "/etc/passwd"), b"")],
        [(entry("../.wh.outside"), b"")],
        [(entry(".wh..."), b"")],
        [(entry("up", tarfile.SYMTYPE, ".."), b""), (entry("hard", tarfile.LNKTYPE, "up/outside"), b"")],
    ],
    ids=[
        "climbing", "absolute", "climbing inside", "hard link that climbs", "absolute hard link",
        "whiteout that climbs", "whiteout of the parent", "hard link through a symbolic link",
    ],
)  # fmt: skip
def test_a_layer_that_leaves_its_root_is_refused(root: Path, members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> None:
    with pytest.raises(BadImage):
        unpack(tar(*members), root)

    assert (root.parent / "outside").read_text() == "untouched"


@pytest.mark.parametrize("target", ["..", "/", "../../../.."])
def test_writing_through_a_symbolic_link_stays_below_the_root(root: Path, target: str) -> None:
    unpack(tar((entry("up", tarfile.SYMTYPE, target), b""), (entry("up/outside"), b"evil")), root)

    assert (root.parent / "outside").read_text() == "untouched"
    assert (root / "outside").read_text() == "evil"


def test_a_file_takes_the_place_of_a_symbolic_link_and_not_of_what_it_names(root: Path) -> None:
    victim = root.parent / "outside"

    unpack(tar((entry("link", tarfile.SYMTYPE, str(victim)), b""), (entry("link"), b"mine")), root)

    assert victim.read_text() == "untouched"
    assert (root / "link").read_text() == "mine"


def test_whiteouts_hide_what_lower_layers_hold_and_only_that(root: Path) -> None:
    unpack(tar((entry("a/old"), b"1"), (entry("a/kept"), b"2"), (entry("b/old"), b"3"), (entry("c"), b"4")), root)

    whiteouts = [(entry(name), b"") for name in ("b/.wh..wh..opq", "a/.wh.old", ".wh.c")]
    unpack(tar((entry("b/new"), b"5"), *whiteouts), root)

    assert {str(path.relative_to(root)) for path in root.rglob("*")} == {"a", "a/kept", "b", "b/new"}


def test_set_user_id_bits_and_devices_are_left_out(root: Path) -> None:
    unpack(tar((entry("su", mode=0o4755), b"x"), (entry("disk", tarfile.BLKTYPE), b"")), root)

    assert (root / "su").stat().st_mode & 0o7777 == 0o755
    assert not (root / "disk").exists()


def test_hard_links_inside_the_root_share_their_file(root: Path) -> None:
    unpack(tar((entry("a"), b"x"), (entry("b", tarfile.LNKTYPE, "a"), b"")), root)

    assert (root / "a").samefile(root / "b")


def test_a_path_is_resolved_as_if_the_root_were_the_whole_world(root: Path) -> None:
    (root / "usr").mkdir()
    (root / "usr/bin").mkdir()
    (root / "bin").symlink_to("/usr/bin")
    (root / "loop").symlink_to("loop")

    assert inside(root, "/bin/../../../bin/sh") == root / "usr/bin/sh"
    with pytest.raises(BadImage, match="symbolic links"):
        inside(root, "/loop/x")


def test_pull_unpacks_all_layers_and_reads_the_configuration(registry: Registry, tmp_path: Path) -> None:
    config = {"Entrypoint": ["python"], "Cmd": ["-m", "web"], "Env": ["A=b=c"], "WorkingDir": "/app", "User": "1:2"}
    digest = push_layers(registry, REPOSITORY, [layer({"a": b"1", "b": b"1"}), layer({"b": b"2"})], config)

    image = pull(registry, REPOSITORY, digest, tmp_path)

    assert (image.digest, image.entrypoint, image.command) == (digest, ("python",), ("-m", "web"))
    assert (image.environment, image.working_dir, image.user) == ({"A": "b=c"}, "/app", "1:2")
    assert (image.root / "a").read_text() + (image.root / "b").read_text() == "12"


def test_the_same_layers_are_unpacked_once(registry: Registry, tmp_path: Path) -> None:
    first = push_layers(registry, REPOSITORY, [layer({"once": b"1"})], {"Cmd": ["a"]})
    second = push_layers(registry, REPOSITORY, [layer({"once": b"1"})], {"Cmd": ["b"]})
    unpacked = pull(registry, REPOSITORY, first, tmp_path).root
    (unpacked / "mark").touch()

    again = pull(registry, REPOSITORY, second, tmp_path).root

    assert again == unpacked
    assert (again / "mark").exists()
    assert list(tmp_path.iterdir()) == [unpacked]


def push_manifest(registry: Registry, layers: list[dict[str, object]], differences: list[str]) -> str:
    config = registry.push_blob(REPOSITORY, json.dumps({"rootfs": {"diff_ids": differences}}).encode())
    content = json.dumps({"mediaType": MANIFEST, "config": {"digest": config}, "layers": layers}).encode()
    return registry.push_manifest(REPOSITORY, digest_of(content), content, MANIFEST)


def test_a_layer_whose_content_is_not_what_the_configuration_names_is_refused(
    registry: Registry, tmp_path: Path
) -> None:
    blob = registry.push_blob(REPOSITORY, gzip.compress(layer({"a": b"other"})))
    digest = push_manifest(registry, [{"mediaType": LAYER, "digest": blob}], [digest_of(layer({"a": b"1"}))])

    with pytest.raises(BadImage, match=r"uncompressed layer .* digest is"):
        pull(registry, REPOSITORY, digest, tmp_path)

    assert list(tmp_path.iterdir()) == []


class Lying(Registry):
    """A registry that hands out other bytes than those that were asked for."""

    def blob(self, repository: str, digest: str) -> bytes:
        return super().blob(repository, digest) + b" "


def test_a_blob_with_another_digest_is_refused(registry: Registry, tmp_path: Path) -> None:
    digest = push_layers(registry, REPOSITORY, [layer({"a": b"1"})], {})

    with pytest.raises(BadImage, match="digest is"):
        pull(Lying(registry.endpoint), REPOSITORY, digest, tmp_path)


def test_a_zstd_layer_is_refused_with_a_remedy(registry: Registry, tmp_path: Path) -> None:
    blob = registry.push_blob(REPOSITORY, b"not unpacked")
    kind = "application/vnd.oci.image.layer.v1.tar+zstd"
    digest = push_manifest(registry, [{"mediaType": kind, "digest": blob}], [digest_of(b"")])

    with pytest.raises(BadImage, match="zstd") as caught:
        pull(registry, REPOSITORY, digest, tmp_path)

    assert caught.value.remedy == "Compress with gzip."


def test_of_an_index_the_child_for_this_machine_is_taken(registry: Registry, tmp_path: Path) -> None:
    digest = push_layers(registry, REPOSITORY, [layer({"mine": b"1"})], {})
    children = [
        {"digest": digest_of(b"other"), "platform": {"os": "windows", "architecture": "amd64"}},
        {"digest": digest, "platform": {"os": "linux", "architecture": "amd64"}},
        {"digest": digest, "platform": {"os": "linux", "architecture": "arm64"}},
    ]
    kind = "application/vnd.oci.image.index.v1+json"
    content = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": children}).encode()
    index = registry.push_manifest(REPOSITORY, digest_of(content), content, kind)

    assert pull(registry, REPOSITORY, index, tmp_path).digest == digest


def test_an_unknown_digest_is_an_error_with_a_remedy(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ControllerError, match="reading manifest") as caught:
        pull(registry, REPOSITORY, f"sha256:{'0' * 64}", tmp_path)

    assert not isinstance(caught.value, httpx.HTTPError)
    assert caught.value.remedy
