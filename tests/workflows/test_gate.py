"""The one check that a branch rule names says yes to what was tried, and to nothing else."""

import json
import os
import shutil
import subprocess
from itertools import product

import pytest

from tests.workflows.files import ours
from tests.workflows.flow import CHECKS

RESULTS = ("success", "failure", "cancelled", "skipped")
WORKFLOW = ours().file(CHECKS)
assert WORKFLOW
JOBS = {job.name: job for job in WORKFLOW.jobs}
[SCRIPT] = JOBS["checks"].scripts
OTHERS = [name for name in JOBS["checks"].needs if name != "data"]


@pytest.fixture(autouse=True)
def _jq() -> None:
    if not shutil.which("jq"):  # every runner of GitHub's has it; elsewhere it is one package
        pytest.skip("there is no jq, which the step runs")


def passes(needs: dict[str, object]) -> bool:
    """Runs the very step, as GitHub does: bash with -e and pipefail."""
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", SCRIPT]
    done = subprocess.run(shell, env={**os.environ, "NEEDS": json.dumps(needs)}, capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stderr  # other numbers: jq did not understand its own program
    return done.returncode == 0


def needs(kind: str | None, *, data: str = "success", **results: str) -> dict[str, object]:
    """What GitHub says of the jobs before; those that are not named did what is usual for the kind."""
    usual = "skipped" if kind == "data" else "success"
    outputs = {} if kind is None else {"kind": kind}
    said: dict[str, object] = {name: {"result": results.get(name, usual), "outputs": {}} for name in OTHERS}
    return {"data": {"result": data, "outputs": outputs}, **said}


@pytest.mark.parametrize("kind", ["data", "code"])
def test_a_sound_change_passes(kind: str) -> None:
    assert passes(needs(kind))


def test_data_passes_also_where_the_code_was_tried_all_the_same() -> None:
    assert passes(needs("data", **dict.fromkeys(OTHERS, "success")))


@pytest.mark.parametrize(("kind", "name", "result"), list(product(["data", "code"], OTHERS, ["failure", "cancelled"])))
def test_no_job_may_fail_or_be_cut_off(kind: str, name: str, result: str) -> None:
    assert not passes(needs(kind, **{name: result}))


@pytest.mark.parametrize("result", sorted({*RESULTS} - {"success"}))
@pytest.mark.parametrize("kind", ["data", "code"])
def test_the_files_of_releases_are_always_checked(kind: str, result: str) -> None:
    assert not passes(needs(kind, data=result))


@pytest.mark.parametrize("name", OTHERS)
def test_code_that_was_not_tried_does_not_pass(name: str) -> None:
    assert not passes(needs("code", **{name: "skipped"}))


@pytest.mark.parametrize("kind", [None, "", "Data", "neither"])
def test_when_nobody_could_say_what_kind_it_is_nothing_may_be_skipped(kind: str | None) -> None:
    assert not passes(needs(kind, **dict.fromkeys(OTHERS, "skipped")))
    assert passes(needs(kind))


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_job_runs_unless_it_is_known_to_be_data_alone(name: str) -> None:
    assert JOBS[name].data["if"] == "needs.data.outputs.kind != 'data'"
    assert JOBS[name].needs == ("data",)
