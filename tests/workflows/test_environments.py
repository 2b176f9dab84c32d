"""Every environment of the pipeline is deployed, watched and offered, and no other."""

import pytest

from releasectl.pipeline import parse_pipeline
from releasectl.target import PIPELINE
from tests.workflows.files import PROJECT, Job, ours

OURS = ours()
ENVIRONMENTS = [one.name for one in parse_pipeline(PIPELINE, (PROJECT / PIPELINE).read_bytes()).environments]


def job(name: str) -> Job:
    """The one job of a workflow."""
    file = OURS.file(f".github/workflows/{name}.yml")
    assert file
    [job] = file.jobs
    return job


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_has_a_workflow_that_deploys_that_very_one(name: str) -> None:
    deploy = job(f"deploy-{name}")

    assert deploy.calls == "$/.github/workflows/reconcile.yml"
    assert deploy.data["with"] == {"environment": name}
    assert deploy.data["if"] == "github.ref == 'refs/heads/main'"


def test_no_workflow_deploys_an_environment_that_is_not_there() -> None:
    found = [path.rpartition("/deploy-")[2] for path in OURS.texts if path.startswith(".github/workflows/deploy-")]

    assert sorted(found) == sorted(f"{name}.yml" for name in ENVIRONMENTS)


def test_every_environment_is_watched() -> None:
    assert job("watch").data["strategy"]["matrix"]["environment"] == ENVIRONMENTS


def test_every_environment_is_offered_by_hand() -> None:
    file = OURS.file(".github/workflows/by-hand.yml")

    assert file
    assert file.inputs("workflow_dispatch")["environment"]["options"] == ENVIRONMENTS


def test_what_is_offered_by_hand_is_what_its_steps_do() -> None:
    file = OURS.file(".github/workflows/by-hand.yml")
    assert file
    offered = file.inputs("workflow_dispatch")["what"]["options"]
    done = [step["if"] for step in job("by-hand").steps if "inputs.what" in step.get("if", "") and "run" in step]

    assert done == [f"inputs.what == '{each}'" for each in offered]
