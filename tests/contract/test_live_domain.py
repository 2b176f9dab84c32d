"""A service under a name of the team's own is proven where the name will lead, before the DNS says so."""

import datetime
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from releasectl.edges import live
from releasectl.edges.live import Live
from releasectl.outputs import Domain, Service
from releasectl.verify import Observation
from tests.twins import REGION

NAME = "app.example.com"


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A load balancer with the certificate of the name, which tells the host that it was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"host": self.headers["Host"]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "roots.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    live._client.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
    live._client.cache_clear()


def seen(domain: Domain) -> Observation:
    """What a service of that domain answers."""
    service = Service("fargate", "r/web", url=f"https://{NAME}", version_path="/version", domain=domain)
    at = Observation(datetime.datetime.now(datetime.UTC))
    return live._version(service, live._health(service, 0, at))


def test_the_name_is_asked_for_at_its_target_and_the_certificate_has_to_be_its_own(target: str) -> None:
    told = seen(Domain(NAME, target))

    assert told.is_well is True
    assert told.version == {"host": NAME}


def test_a_certificate_of_another_name_is_no_answer(target: str) -> None:
    service = Service("fargate", "r/web", url="https://other.example.com", domain=Domain("other.example.com", target))

    [answer] = live._health(service, 0, Observation(datetime.datetime.now(datetime.UTC))).answers
    assert answer.status is None
    assert "certificate" in answer.cause.lower()


def test_without_a_target_the_name_itself_is_asked() -> None:
    service = Service("fargate", "r/web", url="http://127.0.0.1:1", domain=Domain("127.0.0.1"))

    [answer] = live._health(service, 0, Observation(datetime.datetime.now(datetime.UTC))).answers
    assert answer.status is None
    assert Live().observe(REGION, service, watch=0).unasked
