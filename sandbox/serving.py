"""How a process of the sandbox runs: until it is told to end, with its errors as words.

Comes in: what to serve. Goes out: an exit code; 0 after SIGTERM, SIGINT or, when asked for, the end of standard input,
which is how a process ends with the one that started it. It knows nothing of what is served.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine

from releasectl.errors import ControllerError


def run(serve: Coroutine[None, None, None]) -> int:
    """Serve to the end; an error of ours becomes its words on stderr and its exit code."""
    try:
        asyncio.run(serve)
    except ControllerError as error:
        print(f"{error}\n{error.remedy}", file=sys.stderr)
        return error.exit_code
    return 0


def on_end(told: Callable[[], None], *, die_with_stdin: bool) -> None:
    """Call `told` when this process is to end; from within its event loop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            told()

    if die_with_stdin:
        loop.add_reader(sys.stdin.fileno(), read)


def ending(*, die_with_stdin: bool) -> asyncio.Event:
    """Set when this process is to end."""
    event = asyncio.Event()
    on_end(event.set, die_with_stdin=die_with_stdin)
    return event
