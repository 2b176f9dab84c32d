"""Is what a checkout has more than a commit data alone? For a workflow that then skips its tests.

Comes in: a commit, "" for none. Goes out: `data` or `code`, printed and given to the later steps of a job. Without a
commit to compare with it is code. `python -m releasectl.commands.kind --since HEAD^1`
"""

import argparse
import os

from releasectl.changes import changes
from releasectl.commands import clone
from releasectl.edges.step_output import outputs


def main(argv: list[str] | None = None) -> int:
    """Print the kind, and give it to the later steps of a job."""
    parser = argparse.ArgumentParser(prog="python -m releasectl.commands.kind")
    parser.add_argument("--since", default="", help="the commit to compare the checkout with")
    since = parser.parse_args(argv).since
    kind = "data" if since and changes(clone().changed(since, "HEAD")).is_data else "code"
    outputs(os.environ, kind=kind)
    print(kind)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
