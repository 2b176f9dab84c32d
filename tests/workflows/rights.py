"""Policies about what a job may do: nothing unless it says so, and each right with its reason.

Comes in: a project. Goes out: what is wrong, in words; nothing when nothing is. What a stranger's pull request starts
gets no right worth stealing, and no key of a cloud is kept anywhere.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.workflows.files import File, Job, Project
from tests.workflows.pins import REVIEW, is_own

# `pull_request_target` and `workflow_run` lend main's rights to what a stranger proposes; so do comments and issues.
EVENTS = {"push", "pull_request", "merge_group", "schedule", "workflow_call", "workflow_dispatch"}
PROPOSED = {"pull_request", "merge_group"}  # what runs before anybody merged it
SECRETS = {"RELEASE_APP_KEY", "DOCKER_HUB_TOKEN"}
ROLE, ATTEST, CHECKOUT = "aws-actions/configure-aws-credentials@", "actions/attest@", "actions/checkout@"
_LEVELS = {"none": 0, "read": 1, "write": 2}
_KEYS = re.compile(
    r"AWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)|aws-(?:access-key-id|secret-access-key)|AKIA"
)


def only_events_that_lend_no_rights(project: Project) -> Iterator[str]:
    """Those of a list: an event that nobody thought of is none of them."""
    for workflow in project.workflows:
        yield from (f"{workflow.path}: starts by {event}" for event in workflow.events if event not in EVENTS)


def nothing_is_given_by_default(project: Project) -> Iterator[str]:
    """`permissions: {}` on top, and each job says its own."""
    for workflow in project.workflows:
        if workflow.data.get("permissions") != {}:
            yield f"{workflow.path}: lacks `permissions: {{}}`"
        yield from (f"{job.place}: says no permissions" for job in workflow.jobs if "permissions" not in job.data)
    for job in project.jobs:
        unknown = {level for level in job.permissions.values() if level not in _LEVELS}
        yield from (f"{job.place}: gives {level}" for level in unknown)


def every_permission_has_a_reason(project: Project) -> Iterator[str]:
    """In a comment behind it, where a reviewer of a change sees it."""
    for workflow in project.workflows:
        given = (scalar for scalar in workflow.scalars if scalar.keys[-2:-1] == ("permissions",))
        yield from (
            f"{workflow.path}: {'.'.join(scalar.keys)} says no reason" for scalar in given if not scalar.comment
        )


def what_is_proposed_can_write_nothing(project: Project) -> Iterator[str]:
    """What runs before a merge reads; only review.yml gives more, to the workflow of main."""
    for workflow in project.workflows:
        if PROPOSED.isdisjoint(workflow.events):
            continue
        for job in workflow.jobs:
            if not (workflow.path == REVIEW and is_own(workflow.path, job.calls) and not job.calls.startswith("$")):
                writing = [right for right, level in job.permissions.items() if level not in ("read", "none")]
                yield from (f"{job.place}: a pull request gets {right}" for right in writing)


def callers_give_what_is_needed_and_no_more(project: Project) -> Iterator[str]:
    """A called job has at most its caller's rights; with fewer than it asks for, GitHub starts none of it."""
    for job in project.jobs:
        called = project.called(job.calls) if job.calls else None
        if called is None:
            continue
        asked = _asked(called)
        for right in sorted({*asked, *job.permissions}):
            given, needed = job.permissions.get(right, "none"), asked.get(right, "none")
            if given != needed:
                yield f"{job.place}: gives {right}: {given}, {called.path} asks for {needed}"


def _asked(called: File) -> Mapping[str, str]:
    """The most that any of its jobs asks for."""
    asked: dict[str, str] = {}
    for job in called.jobs:
        for right, level in job.permissions.items():
            asked[right] = max(asked.get(right, "none"), level, key=lambda one: _LEVELS.get(one, 2))
    return asked


def who_takes_a_role_may_and_nobody_else(project: Project) -> Iterator[str]:
    """A token of identity is for a role in AWS or an attestation."""
    for job in project.jobs:
        takes = any(str(step.get("uses", "")).startswith((ROLE, ATTEST)) for step in job.steps)
        may = job.permissions.get("id-token") == "write"
        if takes and not may:
            yield f"{job.place}: takes a role and lacks id-token: write"
        if may and not takes and not job.calls:
            yield f"{job.place}: has id-token: write and takes no role"


def no_keys_are_kept(project: Project) -> Iterator[str]:
    """The App's key and Docker Hub's token alone; a called workflow inherits none; a cloud is entered by roles."""
    for path, text in project.texts.items():
        named = set(re.findall(r"secrets\s*(?:\.\s*|\[\s*['\"])(\w+)", text))
        yield from (f"{path}: names the secret {name}" for name in sorted(named - SECRETS - {"GITHUB_TOKEN"}))
        if re.search(r"toJSON\(\s*secrets|secrets\s*\[\s*[^'\"\s]", text, re.IGNORECASE):
            yield f"{path}: takes all secrets"
        yield from (f"{path}: names {found}" for found in _KEYS.findall(text))
    for job in project.jobs:
        if "secrets" in job.data:
            yield f"{job.place}: hands secrets on"


def a_secret_is_asked_for_in_its_environment(project: Project) -> Iterator[str]:
    """Where a rule of the environment says which branches get it; a secret of the repository goes to any branch."""
    for job in project.jobs:
        if "secrets." in str(job.data) and "environment" not in job.data:
            yield f"{job.place}: takes a secret outside an environment"


def every_checkout_forgets_its_token(project: Project) -> Iterator[str]:
    """Or each later step, and each artifact of the folder, would have it."""
    for job, step in _steps(project):
        kept = step.get("with", {}).get("persist-credentials")
        if str(step.get("uses", "")).startswith(CHECKOUT) and kept != "false":
            yield f"{job.place}: a checkout keeps its token"


def no_expression_is_in_a_script(project: Project) -> Iterator[str]:
    """Its value would become code: a branch called `$(…)` would run. By `env` it stays a value."""
    for job, step in _steps(project):
        if "${{" in str(step.get("run", "")):
            yield f"{job.place}: an expression in a script: {step['run']}"


def _steps(project: Project) -> Iterator[tuple[Job, Mapping[str, Any]]]:
    return ((job, step) for file in project.files for job in file.jobs for step in job.steps)


POLICIES = (
    only_events_that_lend_no_rights,
    nothing_is_given_by_default,
    every_permission_has_a_reason,
    what_is_proposed_can_write_nothing,
    callers_give_what_is_needed_and_no_more,
    who_takes_a_role_may_and_nobody_else,
    no_keys_are_kept,
    a_secret_is_asked_for_in_its_environment,
    every_checkout_forgets_its_token,
    no_expression_is_in_a_script,
)
