"""A wrong word or a wrong file ends in its own error with a remedy and an exit code, and changes nothing."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.remote import git
from tests.e2e.conftest import DIGEST, PROJECT, Story, told


def with_digest(story: Story, text: str) -> bytes:
    """Staging's release file with something else where the digest stands."""
    return re.sub(rb'(digest:) *"[^"]*"', rb'\1 "' + text.encode() + b'"', story.read("releases/staging.yaml"), count=1)


@pytest.mark.usefixtures("unchanged")
def test_a_digest_that_no_registry_has_is_not_bumped(story: Story) -> None:
    told(story.releasectl("bump", "web", DIGEST, "--json"), "NotThere", 1)


def test_a_digest_that_no_registry_has_is_refused_when_a_person_pins_it(story: Story) -> None:
    before = story.everything()
    original = story.read("releases/staging.yaml")
    story.commit({"releases/staging.yaml": with_digest(story, DIGEST)})

    said = story.releasectl("reconcile", "staging")

    after = story.everything()
    assert said.code == 1
    assert "digest-readable" in story.last()["findings"][0]["rule"]
    assert f"no image {DIGEST}" in said.out
    assert "Push the image" in said.out
    assert (after["state"], after["runs"]) == (before["state"], before["runs"])
    if story.read("releases/staging.yaml") != original:
        story.commit({"releases/staging.yaml": original})


@pytest.mark.parametrize(
    ("text", "word"), [("v1.0.0", "tag"), ("sha256:abc", "64"), ("sha256:" + "AB" * 32, "upper-case")]
)
def test_a_tag_or_a_wrong_digest_is_an_invalid_file(story: Story, text: str, word: str) -> None:
    original = story.read("releases/staging.yaml")
    story.commit({"releases/staging.yaml": with_digest(story, text)})
    before = story.everything_but_services()

    said = story.releasectl("reconcile", "staging", "--json")

    told(said, "InvalidFile", 2)
    assert word in said.err
    assert "releases/staging.yaml:" in said.err, "with its line"
    assert story.everything_but_services() == before
    story.commit({"releases/staging.yaml": original})


def test_every_finding_of_a_broken_file_is_told_at_once(story: Story) -> None:
    original = story.read("releases/staging.yaml")
    story.commit({"releases/staging.yaml": b"schema: 2\nprogram: main\nservices:\n  web:\n    digests: latest\n"})

    said = story.releasectl("reconcile", "staging", "--json")
    checked = story.releasectl("check", "--json")

    told(said, "InvalidFile", 2)
    assert len(said.json["findings"]) >= 4
    assert "did you mean `digest`" in said.err
    assert (checked.code, checked.json["ok"]) == (2, False)
    story.commit({"releases/staging.yaml": original})


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("command", ["reconcile", "preview", "history", "explain", "status"])
def test_an_unknown_environment_is_told_with_the_near_one(story: Story, command: str) -> None:
    said = story.releasectl(command, "stagin", "--json")

    told(said, "UnknownEnvironment", 2)
    assert "did you mean `staging`" in said.err


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("words", "name", "code"),
    [
        (("preview", "staging", "--ref", "nowhere"), "UnknownCommit", 2),
        (("redeploy", "staging", "wbe"), "UnknownService", 2),
        (("reject", "staging", "wbe", DIGEST, "--reason", "no"), "UnknownService", 2),
        (("reject", "staging", "web", "v1.0.0", "--reason", "no"), "WrongWords", 2),
        (("hold", "staging", "--reason", "x" * 2001), "WrongWords", 2),
        (("rollback", "staging", "--to", "20261121T004000Z-3f9c1a"), "UnknownDeployment", 2),
        (("rollback", "staging"), "NothingLive", 1),
        (("promote", "production"), "NothingLive", 1),
    ],
)
def test_words_that_name_nothing_are_told(story: Story, words: tuple[str, ...], name: str, code: int) -> None:
    told(story.releasectl(*words, "--json"), name, code)


@pytest.mark.usefixtures("unchanged")
def test_a_patience_that_is_no_number_is_told(story: Story) -> None:
    told(story.releasectl("status", "--json", RELEASECTL_PATIENCE="a minute"), "WrongPatience", 2)


@pytest.mark.usefixtures("unchanged")
def test_settings_that_are_not_there_are_told_with_their_name(story: Story, clone: Path) -> None:
    (clone / "Pulumi.staging.yaml").unlink()

    said = story.releasectl("preview", "staging", "--json")

    told(said, "MissingFile", 2)
    assert "reading Pulumi.staging.yaml at the work tree" in said.err


@pytest.mark.usefixtures("unchanged")
def test_a_program_that_nobody_merged_is_told(story: Story, clone: Path) -> None:
    unmerged = git(clone, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "Not reviewed")
    pinned = re.sub(r'(program:) *"?[0-9a-f]{40}"?', rf'\1 "{unmerged}"', (clone / "releases/staging.yaml").read_text())
    (clone / "releases/staging.yaml").write_text(pinned)

    said = story.releasectl("preview", "staging", "--json")

    told(said, "ProgramNotOnMain", 2)
    assert unmerged in said.err


def test_a_text_that_cannot_be_replaced_alone_is_left_to_a_person(story: Story) -> None:
    original = story.read("releases/production.yaml")
    story.commit({"releases/production.yaml": re.sub(rb"^program:.*", b"program: >-", original, flags=re.MULTILINE)})
    before = story.everything()

    said = story.releasectl("bump", "--program", "--environment", "production", "--json")

    told(said, "CannotEdit", 2)
    assert "releases/production.yaml:" in said.err, "with its line"
    assert story.everything() == before
    story.commit({"releases/production.yaml": original})


def test_a_rejected_build_is_not_bumped(story: Story) -> None:
    built = story.build_new("1.0.0")
    assert story.releasectl("reject", "staging", "web", built.digest, "--reason", "it counts twice").code == 0
    before = story.everything()

    said = story.bump(built, "--json")

    told(said, "Rejected", 1)
    assert "it counts twice" in said.err
    assert story.everything() == before


def test_a_port_in_use_is_told_and_leaves_no_sandbox(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "sandbox", "up", "--state", str(tmp_path / "box"), "--port", str(port)],
            cwd=PROJECT, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert done.returncode == 3
    assert f"127.0.0.1:{port}" in done.stderr
    assert "Choose another port" in done.stderr
    assert not (tmp_path / "box").exists()


@pytest.fixture
def clone(story: Story) -> Iterator[Path]:
    """Where a person works; whatever the test does to the files is undone."""
    story.pull()
    yield story.sandbox.clone
    story.pull()
