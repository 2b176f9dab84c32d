"""The door of the sandbox's GitHub: HTTP on loopback, one thread for each connection.

Comes in: requests. Goes out: what the GitHub answers, or a cut line where a fault says so. Words for the desk come at
POST /_sandbox/WORD with a JSON object. It listens on loopback alone.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from sandbox.github.desk import Desk
from sandbox.github.github import Answer, Github
from sandbox.process import LOOPBACK

DESK = "/_sandbox/"


@contextmanager
def opened(github: Github, port: int = 0) -> Iterator[str]:
    """Serve it; the address."""
    server = _server(github, port)
    github.url = f"http://{LOOPBACK}:{server.server_port}"
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield github.url
    finally:
        server.shutdown()
        server.server_close()


def _server(github: Github, port: int) -> ThreadingHTTPServer:
    desk = Desk(github)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def pass_on(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path.startswith(DESK):
                said: Answer | None = _at_desk(desk, self.path.removeprefix(DESK), raw)
            else:
                headers = {name.title(): value for name, value in self.headers.items()}
                said = github.answer(self.command, self.path, headers, raw)
            if said is None:
                self.close_connection = True
                return
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = pass_on  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's names
            """Nobody reads it."""

    return ThreadingHTTPServer((LOOPBACK, port), Handler)


def _at_desk(desk: Desk, word: str, raw: bytes) -> Answer:
    known = {name for name in vars(Desk) if not name.startswith("_")}
    if word not in known:
        return Answer(404, json.dumps({"message": f"The desk knows {', '.join(sorted(known))}."}).encode())
    try:
        said = getattr(desk, word)(**(json.loads(raw) if raw else {}))
    except (TypeError, ValueError, KeyError) as error:
        return Answer(422, json.dumps({"message": f"{word}: {error}"}).encode())
    return Answer(200, json.dumps(said).encode())
