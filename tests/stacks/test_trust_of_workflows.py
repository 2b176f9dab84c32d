"""Each job of the workflows can take its role, and whoever copies one of them onto a branch can take none.

Tokens are made of the workflows as they are: of the events that start them, their calls and their environments.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from releasectl.account import ISSUER
from stacks.bootstrap.trust import MAIN, build_trust, deploy_trust, preview_trust
from tests.stacks.account_recording import ACCOUNT_OF_ALL, REPOSITORY, STAGES
from tests.stacks.iam import may_assume
from tests.workflows.files import File, Job, ours

PULL, BRANCH, TAG = "refs/pull/7/merge", "refs/heads/feature", "refs/tags/v1.4.0"
ON_MAIN = ("push", "schedule", "workflow_dispatch")
PROJECT = ours()
TRUST = {
    "build": build_trust(ACCOUNT_OF_ALL),
    "preview": preview_trust(ACCOUNT_OF_ALL),
    **{f"deploy {stage.name}": deploy_trust(ACCOUNT_OF_ALL, stage.name) for stage in STAGES},
}
ROLES = {"vars.AWS_BUILD_ROLE": "build", "matrix.at.role": "preview", "vars.AWS_DEPLOY_ROLE": "deploy"}


@dataclass(frozen=True)
class Run:
    """A job that takes a role, reached by an event at a ref through the workflows that call each other."""

    event: str
    ref: str
    way: tuple[str, ...]  # paths of workflows
    job: str
    role: str
    environment: str

    def __str__(self) -> str:
        return f"{self.event} {self.ref}: {' > '.join(path.rpartition('/')[2] for path in self.way)} {self.job}"

    def token(self, called_at: str = "") -> dict[str, str]:
        """What GitHub says of the job. `called_at` is the ref of the file that it was called from."""
        by_event = "pull_request" if self.event == "pull_request" else f"ref:{self.ref}"
        what = f"environment:{self.environment}" if self.environment else by_event
        claims = {"aud": "sts.amazonaws.com", "sub": f"repo:{REPOSITORY.name}:{what}", "ref": self.ref}
        claims["repository_id"] = REPOSITORY.id
        if self.environment:
            claims["environment"] = self.environment
        if called_at:  # only of a called workflow it is documented
            claims["job_workflow_ref"] = f"{REPOSITORY.name}/{self.way[-1]}@{called_at}"
        return claims


def runs(event: str, ref: str) -> Iterator[Run]:
    """All that an event would start if every condition of every job let it."""
    for workflow in PROJECT.workflows:
        if event in workflow.events:
            yield from _reached(event, ref, (workflow,), {})


def _reached(event: str, ref: str, way: tuple[File, ...], given: Mapping[str, str]) -> Iterator[Run]:
    for job in way[-1].jobs:
        called = PROJECT.called(job.calls) if job.calls else None
        if called:
            for inputs in _inputs(job):
                yield from _reached(event, ref, (*way, called), inputs)
            continue
        for role in _roles(job):
            environment = _filled(job.data.get("environment", {}).get("name", ""), given)
            name = f"deploy {environment}" if role == "deploy" else role
            yield Run(event, ref, tuple(file.path for file in way), job.name, name, environment)


def _inputs(job: Job) -> Iterator[dict[str, str]]:
    """What it gives to the workflow that it calls, once for each environment of its matrix."""
    given = job.data.get("with", {})
    matrix = job.data.get("strategy", {}).get("matrix", {})
    for environment in matrix.get("environment", [""]):
        yield {key: environment if "matrix.environment" in value else value for key, value in given.items()}


def _roles(job: Job) -> Iterator[str]:
    for step in job.steps:
        if str(step.get("uses", "")).startswith("aws-actions/configure-aws-credentials@"):
            yield ROLES[_expression(step["with"]["role-to-assume"])]


def _filled(text: str, inputs: Mapping[str, str]) -> str:
    return inputs.get(_expression(text).removeprefix("inputs."), text)


def _expression(text: str) -> str:
    found = re.fullmatch(r"\$\{\{\s*(.+?)\s*\}\}", text)
    return found[1] if found else text


def may(role: str, token: Mapping[str, str]) -> bool:
    return may_assume(json.loads(TRUST[role]), token, ISSUER)


def called_at(run: Run) -> str:
    """As it is used: `…@main` is main's own, `$/…` is that of the commit that runs."""
    if len(run.way) == 1:
        return ""
    return MAIN if run.way[-1].endswith("/preview.yml") else run.ref


SOUND = [*(run for event in ON_MAIN for run in runs(event, MAIN)), *runs("pull_request", PULL)]


def test_every_role_is_taken_by_somebody() -> None:
    assert {run.role for run in SOUND} == set(TRUST)


@pytest.mark.parametrize("run", SOUND, ids=str)
def test_a_job_can_take_its_role(run: Run) -> None:
    assert may(run.role, run.token(called_at(run)))


@pytest.mark.parametrize("run", SOUND, ids=str)
def test_a_job_can_take_no_role_that_changes_more_than_its_own(run: Run) -> None:
    others = {name for name in TRUST if name != run.role and may(name, run.token(called_at(run)))}

    # What main's jobs may read is no secret to them, and the job that builds has no environment of its own.
    assert others <= ({"preview"} if run.ref == MAIN and run.role == "build" else _builds(run))


def _builds(run: Run) -> set[str]:
    """A preview that a person starts on main, before anybody had to approve it, says what a build says."""
    return {"build"} if run.role == "preview" and run.ref == MAIN and not run.environment else set()


@pytest.mark.parametrize("ref", [BRANCH, TAG])
@pytest.mark.parametrize("role", TRUST)
def test_whoever_starts_a_workflow_at_another_ref_gets_nothing(role: str, ref: str) -> None:
    started = [run for event in ON_MAIN for run in runs(event, ref)]

    assert started
    assert [str(run) for run in started for at in ("", ref) if may(role, run.token(at))] == []


@pytest.mark.parametrize("run", list(runs("pull_request", PULL)), ids=str)
@pytest.mark.parametrize("role", TRUST)
def test_a_pull_request_that_calls_its_own_copy_gets_nothing(run: Run, role: str) -> None:
    assert not may(role, run.token(PULL))
    assert not may(role, run.token(BRANCH))
    assert not may(role, run.token())


@pytest.mark.parametrize("environment", ["staging", "production", "release-bot", "preview"])
def test_a_pull_request_that_names_an_environment_gets_nothing(environment: str) -> None:
    mine = Run("pull_request", PULL, (".github/workflows/mine.yml",), "mine", "", environment)

    assert [role for role in TRUST if may(role, mine.token()) or may(role, mine.token(PULL))] == []
