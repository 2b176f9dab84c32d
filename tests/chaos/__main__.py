"""`python -m tests.chaos --kills N --seed N`: the fault campaign; `make chaos` starts it.

Comes in: options. Goes out: a line for each story and a table on stderr, with `--json` the data on stdout. Exit code
0 when the claim holds, 1 when it does not, 3 when it could not be played, 130 when it was interrupted.
"""

import argparse
import json
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from releasectl.errors import ControllerError
from tests.chaos import campaign, report
from tests.chaos.ground import CannotPlay
from tests.chaos.report import Told
from tests.chaos.story import story


def main() -> int:
    """Play it."""
    options = _options()
    seed = options.seed if options.seed is not None else secrets.randbelow(1_000_000)
    if options.plan:
        print("\n".join(str(story(seed + number)) for number in range(options.kills)))
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    _say(f"chaos: seed {seed}, {options.kills} kills, {options.jobs} sandboxes at once")
    try:
        played = campaign.run(seed, options.kills, folder, jobs=options.jobs, disks=not options.no_disks, tell=_tell)
    except (CannotPlay, ControllerError) as error:
        _say(f"chaos: no place to play: {error}")
        return 3
    if not any(folder.iterdir()):
        shutil.rmtree(folder)
    _say(f"\n{report.table(played)}")
    if options.json:
        print(json.dumps(report.as_json(played), indent=2, default=str))
    return 130 if played.is_cut_short else 0 if played.holds else 1


def _tell(told: Told) -> None:
    _say(report.line(told))
    if told.kept:
        _say(report.how_to_look(told))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=20, help="how many kills have to strike")
    parser.add_argument("--seed", type=int, help="of the first story; a random one when left out")
    parser.add_argument("--jobs", type=int, default=2, help="sandboxes at once")
    parser.add_argument("--no-disks", action="store_true", help="mount nothing: full disks are skipped and told so")
    parser.add_argument("--plan", action="store_true", help="only print the stories")
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
