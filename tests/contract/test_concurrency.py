"""Fifty writers at once on one real repository, some of whom never hear the answer to their push: nothing is lost."""

import itertools
import threading
from collections.abc import Callable

import pytest

from releasectl.edges.git import Git
from releasectl.edit import edit
from releasectl.proposals import Build, bump
from releasectl.release import Pin, parse_release
from releasectl.target import release_path
from tests.contract.conftest import Remote, git
from tests.twins import digest, releases_file

pytestmark = pytest.mark.nightly

STAGING, PRODUCTION = release_path("staging"), release_path("production")
PROGRAM = "b" * 40
CLONES, BUMPS, EDITS = 10, 25, 25
# Every third push is accepted, and then the connection breaks before the client hears of it.
DEAF = """\
mkdir -p "$GIT_DIR/pushes" "$GIT_DIR/unheard"
: > "$GIT_DIR/pushes/$$"
if [ $(($(ls "$GIT_DIR/pushes" | wc -l) % 3)) -eq 0 ]; then : > "$GIT_DIR/unheard/$$"; kill -9 $PPID; fi
"""


def source(number: int) -> str:
    """The commit of a build: builds are in the order of their numbers."""
    return f"{number:040x}"


def build(number: int) -> Build:
    return Build("web", digest(f"web {number}"), f"1.{number}", source(number))


def is_older(older: str, newer: str) -> bool:
    return older <= newer


def read(clone: Git, tip: str, path: str) -> bytes:
    raw = clone.read(tip, path)
    assert raw is not None
    return raw


def bumps(clone: Git, number: int) -> None:
    """What CI does after a build."""
    said: list[str] = []

    def change(tip: str) -> dict[str, bytes | None]:
        proposal = bump(STAGING, read(clone, tip, STAGING), build=build(number), program="", is_ancestor=is_older)
        said.append(proposal.message)
        return dict(proposal.files)

    clone.commit("main", lambda: said[-1], change)


def edits(clone: Git, number: int) -> None:
    """What a promotion does: other scalars of another file, and a file of its own."""

    def change(tip: str) -> dict[str, bytes | None]:
        raw = read(clone, tip, PRODUCTION)
        path = f"releases/rejected/production-web-{number:012x}.yaml"
        return {PRODUCTION: edit(PRODUCTION, raw, {("services", f"s{number}", "version"): "promoted"}), path: b"\n"}

    clone.commit("main", f"Promote s{number}\n", change)


def test_fifty_writers_end_in_one_line_with_every_change_and_the_newest_build(remote: Remote) -> None:
    nothing = Pin("", "", "", "")
    start = remote.commit(
        {
            STAGING: releases_file(PROGRAM, {"web": nothing}),
            PRODUCTION: releases_file(PROGRAM, {f"s{number}": nothing for number in range(EDITS)}),
        }
    )
    git(remote.bare, "config", "receive.denyNonFastForwards", "true")
    remote.hook("post-update", DEAF)
    clones = [remote.clone(f"clone-{number}") for number in range(CLONES)]
    everyone = threading.Barrier(BUMPS + EDITS)
    failed: list[BaseException] = []

    def run(write: Callable[[Git, int], None], clone: Git, number: int) -> None:
        everyone.wait()
        try:
            write(clone, number)
        except BaseException as error:  # noqa: BLE001 - told below: a thread's own end is silent
            failed.append(error)

    work = [(bumps, number) for number in range(BUMPS)] + [(edits, number) for number in range(EDITS)]
    threads = [
        threading.Thread(target=run, args=(write, clone, number))
        for (write, number), clone in zip(work, itertools.cycle(clones), strict=False)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    history = git(remote.bare, "rev-list", "--parents", f"{start}..main").splitlines()
    subjects = git(remote.bare, "log", "--format=%s", f"{start}..main").splitlines()
    reader = Git(remote.folder / "bo")
    tip = reader.fetch()
    staging = parse_release(STAGING, read(reader, tip, STAGING)).services["web"]
    production = parse_release(PRODUCTION, read(reader, tip, PRODUCTION)).services

    assert {len(line.split()) for line in history} == {2}
    assert (staging.digest, staging.version, staging.commit) == (
        build(BUMPS - 1).digest, f"1.{BUMPS - 1}", source(BUMPS - 1),
    )  # fmt: skip
    assert {pin.version for pin in production.values()} == {"promoted"}
    assert len(reader.list(tip, "releases/rejected")) == EDITS
    # No write was made twice, however its answer was lost; of the bumps only those that came in order were made.
    promoted = sorted(subject for subject in subjects if subject.startswith("Promote"))
    bumped = [int(subject.rpartition(".")[2]) for subject in subjects if subject.startswith("Bump")]
    assert promoted == sorted(f"Promote s{number}" for number in range(EDITS))
    assert bumped == sorted(set(bumped), reverse=True)
    assert len(subjects) == len(promoted) + len(bumped)
    assert len(list((remote.bare / "unheard").iterdir())) >= EDITS // 3
