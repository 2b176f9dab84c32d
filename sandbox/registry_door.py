"""`python -m sandbox.registry_door`: the way from the host names of ECR to the sandbox's registry.

Comes in: HTTP CONNECT requests of whoever has HTTPS_PROXY set. Goes out: for `<account>.dkr.ecr.<region>.amazonaws.com`
TLS with a certificate of the sandbox's own authority and what the registry on loopback answers; 502 for any other
host. It reads nothing of what passes, listens on loopback alone, and never speaks to the world.
One JSON line on stdout when ready, {"endpoint": "http://127.0.0.1:PORT"}; logs on stderr; ends on SIGTERM.
"""

import argparse
import asyncio
import contextlib
import functools
import json
import re
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import trustme

from sandbox import serving
from sandbox.process import LOOPBACK, PortInUse

_ECR = re.compile(r"[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com")
_CONNECT = re.compile(rb"CONNECT ([a-z0-9.-]+):443 HTTP/1\.[01]\r\n", re.IGNORECASE)
_PATIENCE = 10.0  # seconds for a request's head
_CHUNK = 1 << 16

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def main() -> int:
    options = _options()
    return serving.run(_serve(options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.registry_door", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--port", type=int, default=0, help="on loopback; a free one when 0")
    parser.add_argument("--registry", required=True, help="endpoint of the registry API, http://127.0.0.1:PORT")
    parser.add_argument("--authority", type=Path, required=True, help="the certificate of the sandbox's authority")
    parser.add_argument("--key", type=Path, required=True, help="its private key")
    parser.add_argument("--die-with-stdin", action="store_true", help="end when stdin is closed")
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    authority = trustme.CA.from_pem(options.authority.read_bytes(), options.key.read_bytes())
    registry = urlsplit(options.registry)
    ending = serving.ending(die_with_stdin=options.die_with_stdin)
    # Two doors, one behind the other: the inner one speaks TLS, the outer one lets in who wants to go there.
    inner = await _listen(functools.partial(_pass_on, registry.port or 80), 0, _certified(authority))
    outer = await _listen(functools.partial(_admit, _port(inner)), options.port)
    print(json.dumps({"endpoint": f"http://{LOOPBACK}:{_port(outer)}"}), flush=True)
    await ending.wait()


async def _listen(serve: Serve, port: int, tls: ssl.SSLContext | None = None) -> asyncio.Server:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Either side may hang up at any time, a client may not trust the authority, and the process may end.
        with contextlib.suppress(
            OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError
        ):
            await serve(reader, writer)
        writer.close()

    try:
        return await asyncio.start_server(one, LOOPBACK, port, ssl=tls)
    except OSError as error:
        raise PortInUse(
            f"listening on {LOOPBACK}:{port}: {error.strerror}",
            "Choose another port, or leave it out and a free one is taken.",
        ) from error


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


def _certified(authority: trustme.CA) -> ssl.SSLContext:
    """TLS that has a certificate for just the host a client names: accounts and regions are many."""

    @functools.cache
    def certified(host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host).configure_cert(context)
        return context

    def choose(connection: ssl.SSLObject, host: str | None, _: ssl.SSLContext) -> int | None:
        if not host or not _ECR.fullmatch(host):
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = certified(host)
        return None

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = choose
    return context


async def _admit(inner: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The outer door: one CONNECT request."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PATIENCE)
    asked = _CONNECT.match(head)
    host = asked[1].decode().lower() if asked else ""
    if not _ECR.fullmatch(host):
        print("registry door: refused", head.splitlines()[:1], file=sys.stderr, flush=True)
        why = b"This proxy leads to the sandbox's image registry alone.\n"
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(why), why))
        await writer.drain()
        return
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await _pass_on(inner, reader, writer)


async def _pass_on(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes in both directions, until both sides have said all."""
    back_reader, back_writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        await asyncio.gather(_pump(reader, back_writer), _pump(back_reader, writer))
    finally:
        back_writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while chunk := await source.read(_CHUNK):
        sink.write(chunk)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()
    else:
        sink.close()  # TLS has no half-closed connections


if __name__ == "__main__":
    sys.exit(main())
