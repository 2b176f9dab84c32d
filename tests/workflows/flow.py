"""Policies about how jobs follow one another: they end, they wait, none is cut off, none fails in silence.

Comes in: a project. Goes out: what is wrong, in words; nothing when nothing is. That a check is skipped and counts as
passed, or that a job fails at night and nobody hears, are mistakes that no other tool sees.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.workflows.files import File, Job, Project

CHECKS, FAILED, CALL = ".github/workflows/checks.yml", ".github/workflows/failed.yml", "workflow_call"
LONGEST = 180  # minutes
CHANGING = {"contents", "packages"}  # a job that is cut off while it writes these leaves half of it
MATTERS = CHANGING | {"checks", "deployments", "id-token"}  # two at once would hinder one another
# GitHub calls a job that took too long cancelled, too; only a run that is cancelled as a whole was a person's wish.
TELLS_WHEN = "${{ !cancelled() && (github.ref == 'refs/heads/main' || github.ref_type == 'tag') }}"
MENDED = "${{ !contains(needs.*.result, 'failure') && !contains(needs.*.result, 'cancelled') }}"


def every_job_ends(project: Project) -> Iterator[str]:
    """GitHub's own limit is six hours."""
    for job in project.jobs:
        minutes = str(job.data.get("timeout-minutes", ""))
        if not job.calls and not (minutes.isdecimal() and 0 < int(minutes) <= LONGEST):
            yield f"{job.place}: timeout-minutes is {minutes or 'missing'}"


def what_must_not_run_twice_waits(project: Project) -> Iterator[str]:
    """A job that changes or previews something has a group, its own or its workflow's."""
    for workflow in project.workflows:
        for job in workflow.jobs:
            if not job.calls and MATTERS & _written(job) and not list(_groups(workflow, job)):
                yield f"{job.place}: runs twice at once"


def what_changes_something_is_never_cut_off(project: Project) -> Iterator[str]:
    """An engine that is killed leaves a lock and half a change; also where a called job changes it."""
    for workflow in project.workflows:
        for job in workflow.jobs:
            for group in _groups(workflow, job):
                if CHANGING & _written(job) and group.get("cancel-in-progress", "false") != "false":
                    yield f"{job.place}: may be cancelled while it writes"


def _written(job: Job) -> set[str]:
    return {right for right, level in job.permissions.items() if level == "write"}


def _groups(workflow: File, job: Job) -> Iterator[Mapping[str, Any]]:
    told = (workflow.data.get("concurrency"), job.data.get("concurrency"))
    return (group if isinstance(group, dict) else {"group": group} for group in told if group)


def the_one_check_waits_for_all(project: Project) -> Iterator[str]:
    """A branch rule names `checks` alone, which must also run, and say no, when another job did not."""
    workflow = project.file(CHECKS)
    jobs = {job.name: job for job in workflow.jobs} if workflow else {}
    gate = jobs.pop("checks", None)
    if gate is None:
        yield f"{CHECKS}: there is no job `checks`"
        return
    yield from (f"{gate.place}: does not wait for {name}" for name in sorted(set(jobs) - set(gate.needs)))
    if gate.data.get("if") != "always()":
        yield f"{gate.place}: is skipped, and so passes, when a job before it fails"


def a_failure_is_told(project: Project) -> Iterator[str]:
    """What nobody waits for, a push or a night, ends in a job that needs all others and tells of any that failed."""
    for workflow in project.workflows:
        if not _is_told(workflow):
            continue
        jobs = {job.name: job for job in workflow.jobs}
        last = jobs.pop("failed", None)
        if last is None or project.called(last.calls) != project.file(FAILED):
            yield f"{workflow.path}: tells nobody when it fails"
            continue
        yield from (f"{last.place}: does not hear of {name}" for name in sorted(set(jobs) - set(last.needs)))
        if last.data.get("if") != TELLS_WHEN or last.data.get("with") != {"mended": MENDED}:
            yield f"{last.place}: does not hear of every end"


def _is_told(workflow: File) -> bool:
    """Deployments tell by themselves: the controller's topic and the next look of watch.yml."""
    alone = {"push", "schedule"} & set(workflow.events)
    return bool(alone) and not any("/reconcile.yml" in job.calls for job in workflow.jobs)


def what_is_called_gets_its_inputs(project: Project) -> Iterator[str]:
    """Those that it has, and each that it cannot do without; of workflows and of our own actions."""
    for file in project.files:
        for job in file.jobs:
            for call in (job.data, *job.steps):
                called = project.called(str(call.get("uses", "")))
                yield from (f"{job.place}: {wrong}" for wrong in _misfits(called, call)) if called else ()


def _misfits(called: File, call: Mapping[str, Any]) -> Iterator[str]:
    takes = called.inputs(CALL) or called.data.get("inputs", {})
    given = call.get("with", {})
    yield from (f"{called.path} has no input {name}" for name in sorted(set(given) - set(takes)))
    needed = {name for name, told in takes.items() if told.get("required") == "true" and "default" not in told}
    yield from (f"{called.path} needs the input {name}" for name in sorted(needed - set(given)))


POLICIES = (
    every_job_ends,
    what_must_not_run_twice_waits,
    what_changes_something_is_never_cut_off,
    the_one_check_waits_for_all,
    a_failure_is_told,
    what_is_called_gets_its_inputs,
)
