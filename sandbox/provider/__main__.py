"""`python -m sandbox.provider [--port N] [--die-with-stdin]`: the provider as a process of its own.

Comes in: the ordinary AWS environment. Goes out: one JSON line {"port": N} on stdout when the engine may attach; logs
on stderr. Ends on SIGTERM, SIGINT, or with its parent; exit code 3 when it cannot start. It listens on loopback only
and never talks to the real AWS: without an endpoint in the environment it does not start.
"""

import argparse
import json
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import grpc
from pulumi.runtime.proto.provider_pb2_grpc import add_ResourceProviderServicer_to_server

from releasectl.errors import ControllerError
from sandbox.process import LOOPBACK, SandboxBroken, free_port
from sandbox.provider.servicer import Provider

# The engine starts up to 16 operations at once by default, and an App Runner wait holds its thread for minutes.
_THREADS = 32
# As the engine sets for its own plugins: states may be large.
_MAX_MESSAGE_BYTES = 400 * 1024 * 1024
_GRACE_SECONDS = 2.0


def main() -> int:
    """Serve until told to stop."""
    arguments = _arguments()
    try:
        _serve(arguments.port, die_with_stdin=arguments.die_with_stdin)
    except ControllerError as error:
        print(f"{error}\n{error.remedy}", file=sys.stderr)
        return error.exit_code
    return 0


def _serve(wanted: int, *, die_with_stdin: bool) -> None:
    if not os.environ.get("AWS_ENDPOINT_URL"):
        raise SandboxBroken(
            "starting the provider: AWS_ENDPOINT_URL is not set, so it would change the real AWS",
            "Set AWS_ENDPOINT_URL to the sandbox's endpoint.",
        )
    server = grpc.server(
        ThreadPoolExecutor(_THREADS, thread_name_prefix="provider"),
        options=[
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
            # Without it a second process could bind the same port and take half of the calls.
            ("grpc.so_reuseport", 0),
        ],
    )
    add_ResourceProviderServicer_to_server(Provider(), server)
    port = server.add_insecure_port(f"{LOOPBACK}:{free_port(wanted)}")
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    if die_with_stdin:
        threading.Thread(target=_follow_parent, args=(stop,), daemon=True).start()
    server.start()
    print(json.dumps({"port": port}), flush=True)
    stop.wait()
    server.stop(_GRACE_SECONDS).wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 takes a free one")
    parser.add_argument("--die-with-stdin", action="store_true", help="end when stdin is closed")
    return parser.parse_args()


def _follow_parent(stop: threading.Event) -> None:
    sys.stdin.buffer.read()
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
