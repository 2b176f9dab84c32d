"""`python -m sandbox.github --repository PATH`: a GitHub of the sandbox's own, on a bare repository.

One JSON line on stdout when ready, {"endpoint", "token", "repository"}, with a token that may do everything as a
workflow does; further tokens come from the desk. It listens on loopback, keeps nothing but git, and ends on SIGTERM.
"""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from sandbox.github.door import opened
from sandbox.github.github import Github
from sandbox.github.repository import GitSaysNo, Repository


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.github", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--repository", type=Path, required=True, help="a bare git repository")
    parser.add_argument("--name", default="team/shop", help="OWNER/NAME, as GitHub calls it")
    parser.add_argument("--server", default="https://github.example", help="the address that people would see")
    parser.add_argument("--port", type=int, default=0, help="on loopback; a free one when 0")
    options = parser.parse_args()
    github = Github(Repository(options.repository), options.name, options.server)
    try:
        github.repository.all_refs()
    except GitSaysNo as error:
        print(f"reading {options.repository}: {error}\nName a bare git repository.", file=sys.stderr)
        return 2
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    with opened(github, options.port) as url:
        print(json.dumps({"endpoint": url, "token": github.token(), "repository": github.name}), flush=True)
        ending.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
