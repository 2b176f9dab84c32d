"""`python -m tests.bench.cold_job`: how long the job that deploys takes until `up` starts; `make bench` starts it.

Comes in: the number of rounds. Goes out: a table of medians, with the least and the most, cold and warm side by side in
one run. The steps are those of reconcile.yml, each as its own process. What GitHub and AWS add is not in it, nor is the
provider's plugin, for which the sandbox stands.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from releasectl.edges.engine import find
from sandbox import place
from sandbox.hand import Hand
from sandbox.process import find_uv

PROJECT = Path(__file__).resolve().parents[2]
CHECKOUT, INSTALL, ENGINE = "check out main", "the locked dependencies", "the engine, unpacked"
MOMENTS = {
    "releasectl knows what to do": "staging: release",
    "the plan": "staging: plan",
    "`up` starts": "staging: applying",
}
TOTAL = "until `up` starts"
Seconds = dict[str, float]


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cold_job")
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    cold, warm = [], []
    for number in range(rounds):
        print(f"bench: round {number + 1} of {rounds}", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            cold.append(measured(Path(folder)))
            warm.append(measured(Path(folder)))
    print("\n".join(table(cold, warm)))
    return 0


def measured(root: Path) -> Seconds:
    """One job. In the same folder a second time, caches are warm: of packages, of bytecode, of the disk."""
    job, unpacked = root / "job", root / "unpacked"
    packed = _packed(root)
    shutil.rmtree(job / ".venv", ignore_errors=True)
    shutil.rmtree(unpacked, ignore_errors=True)
    fresh = root / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    caches = {**os.environ, "UV_CACHE_DIR": str(root / "uv")}
    found = {CHECKOUT: _took(["git", "clone", "--quiet", "--depth", "1", PROJECT.as_uri(), str(fresh)])}
    if not job.exists():
        fresh.rename(job)
    found[INSTALL] = _took([find_uv(), "sync", "--frozen", "--no-dev", "--quiet"], job, caches)
    found[ENGINE] = _seconds(lambda: _unpack(packed, unpacked))
    with _sandbox() as hand:
        found |= _reconciled(job, hand)
    return found | {TOTAL: sum(found.values())}


def table(cold: list[Seconds], warm: list[Seconds]) -> Iterator[str]:
    """Rows of Markdown."""
    yield f"| step, median (least to most) of {len(cold)} | cold | warm |"
    yield "|---|---|---|"
    for step in cold[0]:
        yield f"| {step} | {_told(cold, step)} | {_told(warm, step)} |"


def _told(rounds: list[Seconds], step: str) -> str:
    values = [each[step] for each in rounds]
    return f"{median(values):.1f} s ({min(values):.1f} to {max(values):.1f})"


def _packed(root: Path) -> Path:
    """What actions/cache would bring: the engine's own folder."""
    archive = root / "engine.tar"
    if not archive.exists():
        with tarfile.open(archive, "w") as packing:
            packing.add(find().path.parents[1], "engine")
    return archive


def _unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")


@contextmanager
def _sandbox() -> Iterator[Hand]:
    """One in which staging is wanted and was never released."""
    with tempfile.TemporaryDirectory(prefix="bench-sandbox-") as folder:
        running = place.up(Path(folder) / "sandbox", PROJECT)
        try:
            hand = Hand(running)
            if (said := hand.releasectl("bump", "--program")).code:
                raise RuntimeError(said.err)
            yield hand
        finally:
            place.down(running)


def _reconciled(job: Path, hand: Hand) -> Seconds:
    """The time between what it says: from its start to the first word, to the plan, to the update."""
    command = [str(job / ".venv/bin/releasectl"), "reconcile", "staging"]
    environment = {**os.environ, **hand.sandbox.environment}
    before, found = time.monotonic(), {}
    with subprocess.Popen(
        command, cwd=hand.sandbox.clone, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr
        for line in running.stderr:
            for step, word in MOMENTS.items():
                if line.startswith(word) and step not in found:
                    found[step], before = time.monotonic() - before, time.monotonic()
    if running.returncode or len(found) < len(MOMENTS):
        raise RuntimeError(f"{' '.join(command)}: exit code {running.returncode}, seen: {list(found)}")
    return found


def _took(command: list[str], folder: Path | None = None, environment: Mapping[str, str] | None = None) -> float:
    return _seconds(lambda: subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True))


def _seconds(work: Callable[[], object]) -> float:
    before = time.monotonic()
    work()
    return time.monotonic() - before


if __name__ == "__main__":
    raise SystemExit(main())
