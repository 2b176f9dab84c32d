"""The numbers of a repository: asked of a server, and nothing at all when it does not tell."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from releasectl.account import Repository
from releasectl.edges.github_repository import GithubRepository, is_name, name_of

GOOD = json.dumps({"full_name": "Acme/Demo", "id": 4242, "owner": {"id": 77}}).encode()


class Server(ThreadingHTTPServer):
    """Answers `answer` and keeps what it was asked."""

    answer: tuple[int, bytes] = (200, GOOD)
    asked: tuple[str, str] = ("", "")


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked = (self.path, self.headers.get("Authorization", ""))
        code, body = self.server.answer
        self.send_response(code)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silent."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.shutdown()


def api(server: Server) -> dict[str, str]:
    return {"GITHUB_API_URL": f"http://127.0.0.1:{server.server_address[1]}"}


def test_github_spells_the_name_and_tells_the_numbers(server: Server) -> None:
    asked = GithubRepository(api(server) | {"GH_TOKEN": "t"})

    assert asked.ask("acme/demo") == Repository("Acme/Demo", "4242", "77")
    assert server.asked == ("/repos/acme/demo", "Bearer t")


@pytest.mark.parametrize(
    "answer",
    [(404, b"{}"), (403, b"limit"), (500, b""), (200, b"<html>"), (200, b"[]"), (200, b'{"id": "x"}')],
    ids=repr,
)
def test_what_it_does_not_tell_is_no_error(server: Server, answer: tuple[int, bytes]) -> None:
    server.answer = answer

    assert GithubRepository(api(server)).ask("acme/demo") is None


def test_nobody_at_the_address_is_no_error() -> None:
    assert GithubRepository({"GITHUB_API_URL": "http://127.0.0.1:1"}).ask("acme/demo") is None


@pytest.mark.parametrize(
    ("remote", "name"),
    [
        ("https://github.com/acme/demo.git", "acme/demo"),
        ("https://github.com/acme/demo", "acme/demo"),
        ("https://token@github.com/acme/demo.git/", "acme/demo"),
        ("git@github.com:acme/demo.git", "acme/demo"),
        ("ssh://git@github.com/acme/demo.git", "acme/demo"),
        ("https://github.com.evil.example/acme/demo", ""),
        ("https://example.com/github.com/acme/demo", ""),
        ("https://github.com/acme/demo/more", ""),
        ("https://github.com/../demo", ""),
        ("/srv/git/demo.git", ""),
        ("", ""),
    ],
)
def test_a_remote_on_github_says_its_name(remote: str, name: str) -> None:
    assert name_of(remote) == name


@pytest.mark.parametrize(
    ("text", "is_one"), [("a/b", True), ("a", False), ("a/b/c", False), ("a/..", False), ("a/*", False)]
)
def test_a_name_is_owner_and_repository(text: str, *, is_one: bool) -> None:
    assert is_name(text) is is_one
