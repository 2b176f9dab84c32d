"""One address that speaks HTTP and HTTPS: the first byte of a connection tells which.

Comes in: connections at one port on loopback. Goes out: the same bytes to the door for HTTP or the one for HTTPS. A
load balancer's name leads to all of its listeners; here a name is a host and one port, so both are behind it.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

from sandbox.process import LOOPBACK, PortInUse

_TLS = b"\x16"  # the first byte of every TLS handshake
_PIECE = 64 * 1024


@dataclass
class Address:
    """`plain` and `secure` are the ports of the doors, None where there is no such listener."""

    port: int
    plain: int | None = None
    secure: int | None = None
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def open(self) -> int:
        """Listen, at a free port when it is 0. Raises PortInUse."""
        try:
            self._server = await asyncio.start_server(self._connected, LOOPBACK, self.port)
        except OSError as error:
            raise PortInUse(
                f"listening on {LOOPBACK}:{self.port}: {error.strerror}", "End what listens there, then try again."
            ) from error
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def close(self) -> None:
        if self._server:
            self._server.close()
        for writer in list(self._open):
            writer.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            first = await reader.read(1)
            door = self.secure if first == _TLS else self.plain
            if first and door:
                await _joined(first, reader, writer, door)
        except OSError:
            pass  # whoever called has gone, or the door has closed: the same to both
        finally:
            self._open.discard(writer)
            writer.close()


async def _joined(first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    inner_reader, inner_writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        inner_writer.write(first)
        await asyncio.gather(_copied(reader, inner_writer), _copied(inner_reader, writer))
    finally:
        inner_writer.close()


async def _copied(reader: asyncio.StreamReader, writer: Any) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
