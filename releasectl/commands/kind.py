"""Is what a checkout has more than a commit data alone? For a workflow that then skips its tests.

Comes in: a commit, "" for none. Goes out: `data` or `code`, printed and given to the later steps of a job. Without a
commit to compare with it is code, and so is what has the name of data and is a link, a program or another repository.
`python -m releasectl.commands.kind --since HEAD^1`
"""

import argparse
import os

from releasectl.changes import changes
from releasectl.commands import clone
from releasectl.edges.step_output import outputs

PLAIN = {"100644", "000000"}  # git's modes of a file that nobody runs, and of one that is gone


def main(argv: list[str] | None = None) -> int:
    """Print the kind, and give it to the later steps of a job."""
    parser = argparse.ArgumentParser(prog="python -m releasectl.commands.kind")
    parser.add_argument("--since", default="", help="the commit to compare the checkout with")
    since = parser.parse_args(argv).since
    kind = "data" if since and _is_data(since) else "code"
    outputs(os.environ, kind=kind)
    print(kind)
    return 0


def _is_data(since: str) -> bool:
    modes = clone().changed(since, "HEAD")
    return PLAIN.issuperset(modes.values()) and changes(modes).is_data


if __name__ == "__main__":
    raise SystemExit(main())
