"""Every ordinary mishap ends in its own error with a remedy and an exit code, and changes nothing."""

import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.conftest import PROJECT, Said, Story

DIGEST = "sha256:" + "ab" * 32
REMEDY = re.compile(r"^  [A-Z][a-z]+\b.*", re.MULTILINE)


def told(said: Said, name: str, code: int) -> None:
    """The command ended with this error, in JSON and in words, remedy included."""
    assert said.code == code, said.err
    assert said.json["error"] == name, said.out
    assert said.json["remedy"].split()[0][0].isupper()
    assert said.json["message"].splitlines()[0] in said.err
    assert REMEDY.search(said.err)
    assert "Traceback" not in said.err


def with_digest(story: Story, text: str) -> bytes:
    """Staging's release file with something else where the digest stands."""
    return re.sub(rb'(digest:) *"[^"]*"', rb'\1 "' + text.encode() + b'"', story.read("releases/staging.yaml"), count=1)


@pytest.fixture
def unchanged(story: Story) -> Iterator[None]:
    """Whatever the test does by commands leaves everything as it was; a person's own commit is taken back."""
    before = story.everything()
    yield
    assert story.everything() == before


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
def test_a_clone_without_a_remote_is_told(story: Story) -> None:
    subprocess.run(["git", "-C", story.sandbox.clone, "remote", "rename", "origin", "elsewhere"], check=True)
    try:
        said = story.releasectl("reconcile", "staging", "--json")
    finally:
        subprocess.run(["git", "-C", story.sandbox.clone, "remote", "rename", "elsewhere", "origin"], check=True)

    told(said, "MissingRemote", 3)
    assert "git remote add" in said.err


@pytest.mark.usefixtures("unchanged")
def test_a_remote_that_is_not_there_is_told(story: Story) -> None:
    away = story.sandbox.remote.with_name("away.git")
    story.sandbox.remote.rename(away)
    try:
        said = story.releasectl("status", "--json")
    finally:
        away.rename(story.sandbox.remote)

    told(said, "MissingRemote", 3)


def test_a_folder_that_is_no_clone_is_told(story: Story, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("releasectl")), "status", "--json"],
        cwd=tmp_path, env=story.sandbox.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    told(Said(done.returncode, done.stdout, done.stderr), "NotARepository", 2)


@pytest.mark.usefixtures("unchanged")
def test_no_engine_is_told_with_how_to_get_one(story: Story, tmp_path: Path) -> None:
    git = Path(shutil.which("git") or "git").parent
    said = story.releasectl("preview", "staging", "--json", PATH=str(git), HOME=str(tmp_path))

    told(said, "NoEngine", 3)
    assert "make setup" in said.err


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("passphrase", ["wrong", None])
def test_a_wrong_or_missing_passphrase_is_told(story: Story, passphrase: str | None) -> None:
    said = story.releasectl("preview", "staging", "--json", PULUMI_CONFIG_PASSPHRASE=passphrase)

    told(said, "WrongPassphrase", 3)
    assert "PULUMI_CONFIG_PASSPHRASE" in said.err


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("code", "answer", "name"),
    [
        (400, "AccessDeniedException", "AwsDenied"),
        (400, "ThrottlingException", "AwsThrottled"),
        (503, "ServiceUnavailable", "AwsUnreachable"),
    ],
)
def test_aws_saying_no_is_told_apart(story: Story, code: int, answer: str, name: str) -> None:
    with aws_that_answers(code, answer) as endpoint:
        said = story.releasectl("bump", "web", DIGEST, "--json", AWS_ENDPOINT_URL=endpoint)

    told(said, name, 3)
    assert DIGEST in said.err, "with what was being asked"


@pytest.mark.usefixtures("unchanged")
def test_aws_being_away_is_told(story: Story) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets it, nobody answers
        endpoint = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        said = story.releasectl("bump", "web", DIGEST, "--json", AWS_ENDPOINT_URL=endpoint)

    told(said, "AwsUnreachable", 3)


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


@contextmanager
def aws_that_answers(status: int, code: str) -> Iterator[str]:
    """An AWS that gives the same error to every call, in the JSON protocol's form."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = f'{{"__type": "{code}", "message": "told by the test"}}'.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
