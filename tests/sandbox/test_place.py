"""`python -m sandbox up|env|down`: several side by side, for anybody's client, and no trace afterwards."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import place
from tests.sandbox.conftest import processes

PROJECT = Path(__file__).resolve().parents[2]
ALL = [
    "sandbox-ready",
    "environments-created",
    "image-built",
    "staging-bumped",
    "staging-released",
    "nothing-to-do",
    "production-previewed",
    "production-released",
    "program-promoted",
    "bad-release-rolled-back",
    "rejected-digest-refused",
    "hold-respected",
    "drift-found",
    "drift-remediated",
    "crash-recovered",
]
CLIENT = 'import boto3; print(len(boto3.client("%s").%s))'


def sandbox(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
    )


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Two sandboxes, started by processes that have ended since."""
    folders = tmp_path / "one", tmp_path / "two"
    for folder in folders:
        started = sandbox("up", "--state", str(folder))
        assert started.returncode == 0, started.stderr
        assert f"python -m sandbox down --state {folder}" in started.stdout
    yield folders
    for folder in folders:
        if (folder / place.MARK).exists():
            place.down(place.find(folder))


def test_two_sandboxes_stand_side_by_side_and_each_goes_without_a_trace(two: tuple[Path, Path]) -> None:
    one, other = (place.find(folder) for folder in two)
    addresses = [value for each in (one, other) for name, value in each.variables.items() if "ENDPOINT" in name]
    assert len(set(addresses)) == 6

    gone = sandbox("down", "--state", str(one.folder))

    assert gone.returncode == 0, gone.stderr
    assert not one.folder.exists()
    assert processes(str(one.folder)) == []
    assert answers(other, "ecr", 'describe_repositories()["repositories"]') == "0"
    assert answers(other, "apprunner", 'list_services()["ServiceSummaryList"]') == "0"


def test_its_variables_come_as_lines_for_a_shell(two: tuple[Path, Path]) -> None:
    said = sandbox("env", "--state", str(two[0]))
    script = f'{said.stdout}\necho "$AWS_ENDPOINT_URL"'
    shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)

    assert shell.stdout.strip() == place.find(two[0]).variables["AWS_ENDPOINT_URL"]


def test_a_second_one_in_the_same_folder_is_refused_with_the_way_out(two: tuple[Path, Path]) -> None:
    said = sandbox("up", "--state", str(two[0]))

    assert said.returncode == 3
    assert "not empty" in said.stderr
    assert "sandbox down" in said.stderr


def test_a_folder_without_a_sandbox_is_told(tmp_path: Path) -> None:
    said = sandbox("down", "--state", str(tmp_path))

    assert (said.returncode, "there is none" in said.stderr) == (3, True)


def answers(sandbox: place.Sandbox, service: str, call: str) -> str:
    """What a plain boto3 client says, with nothing but the sandbox's variables."""
    done = subprocess.run(
        [sys.executable, "-c", CLIENT % (service, call)],
        env={"PATH": os.environ["PATH"], **sandbox.variables}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_the_demo_names_every_step_and_leaves_nothing_behind(tmp_path: Path) -> None:
    # The stories of tests/e2e play what comes after it; `make nightly` plays the whole demo.
    last = "" if os.environ.get("NIGHTLY") else "nothing-to-do"
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "demo", "--json", *(["--until", last] if last else [])],
        cwd=PROJECT, env=os.environ | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout + done.stderr
    assert [step["step"] for step in steps] == ALL[: ALL.index(last) + 1 if last else None]
    assert all(step["ok"] is True and step["seconds"] >= 0 for step in steps)
    assert list(tmp_path.iterdir()) == []
    assert processes(str(tmp_path)) == []


def test_a_demo_whose_step_fails_says_so_stops_and_leaves_nothing_behind(tmp_path: Path) -> None:
    # Without an engine on PATH or in HOME the environments cannot be created.
    changed = {"TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    (tmp_path / "tmp").mkdir()
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "demo", "--json"],
        cwd=PROJECT, env=os.environ | changed | {"XDG_CACHE_HOME": cache}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [(step["step"], step["ok"]) for step in steps] == [("sandbox-ready", True), ("environments-created", False)]
    assert "make setup" in steps[-1]["said"]
    assert list((tmp_path / "tmp").iterdir()) == []
    assert processes(str(tmp_path / "tmp")) == []
