"""The Python language host of the plain `pulumi` CLI, for machines where only the CLI itself can be had.

Prints one line, {"port": N}; then `PULUMI_DEBUG_LANGUAGES=python:N pulumi preview ...` attaches to it. It runs the
program folder of each request with runpy, in this process. Ends on SIGTERM, or with its parent's pipe when
`--die-with-stdin` is given. The official download brings a host of its own; this one is for tests alone.
"""

import json
import os
import runpy
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

import grpc
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

LARGEST_MESSAGE = 400 * 1024 * 1024  # bytes; what the SDK itself allows


class LanguageHost(LanguageServer):
    """The SDK's own server for inline programs; the program here is whatever folder the engine names."""

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def Handshake(  # noqa: N802 - gRPC names it
        self, request: language_pb2.LanguageHandshakeRequest, context: grpc.ServicerContext
    ) -> language_pb2.LanguageHandshakeResponse:
        """Without an answer the engine does not attach."""
        del request, context
        return language_pb2.LanguageHandshakeResponse()

    def Run(  # noqa: N802 - gRPC names it
        self, request: language_pb2.RunRequest, context: grpc.ServicerContext
    ) -> language_pb2.RunResponse:
        """Run the program of one preview or update."""
        folder = Path(request.info.program_directory, request.info.entry_point)
        server: Any = LanguageServer(lambda: _run(folder))  # the SDK leaves this method without types
        response: language_pb2.RunResponse = server.Run(request, context)
        return response


def _run(folder: Path) -> None:
    runpy.run_path(str(folder), run_name="__main__")


def _set_at_the_end_of(stream: TextIO, end: threading.Event) -> None:
    stream.read()
    end.set()


def main() -> None:
    """Serve on a free port of loopback until told to end."""
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    if "--die-with-stdin" in sys.argv:
        threading.Thread(target=_set_at_the_end_of, args=(sys.stdin, end), daemon=True).start()
    server = grpc.server(
        ThreadPoolExecutor(max_workers=4), options=[("grpc.max_receive_message_length", LARGEST_MESSAGE)]
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(json.dumps({"port": port}) + "\n")
    sys.stdout.flush()
    end.wait()
    server.stop(grace=1).wait()
    os._exit(0)  # threads of a program that never ended must not keep the process


if __name__ == "__main__":
    main()
