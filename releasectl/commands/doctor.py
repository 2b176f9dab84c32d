"""The command that looks whether the ground is good: this machine, the account, the state, the repository."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import click

from releasectl import check as files
from releasectl import doctor as looking
from releasectl import (
    doctor_account,
    doctor_bootstrap,
    doctor_machine,
    doctor_network,
    doctor_repository,
    own_workflows,
    target,
)
from releasectl.commands import WorkTree, as_json, clone, print_json, real_world, settings
from releasectl.doctor import Diagnosis, Question, Subject
from releasectl.doctor_machine import Machine
from releasectl.doctor_wanted import Wanted
from releasectl.errors import ControllerError, Finding, InvalidFile
from releasectl.outputs import Outputs
from releasectl.outputs import read as read_outputs
from releasectl.target import MissingFile
from releasectl.world import World


@click.command()
@click.argument("environment", required=False)
@as_json
def doctor(environment: str | None, as_json: bool) -> None:
    """Look whether ENVIRONMENT, or every one, can be released: machine, account, state, alerts, repository.

    Changes nothing. Each finding is a problem, a warning, fine, or could not be asked, and says what helps. Exits with
    1 when there is a problem; what could not be asked is shown, and is no problem alone.
    """
    from releasectl.edges import engine

    world, git = real_world(), clone()
    tree = WorkTree(git.root)
    machine = Machine(
        engine=engine.find,
        origin=lambda: _told(git.run("config", "--default", "", "--get", "remote.origin.url").decode().strip()),
        tip=world.desired.fetch,
        findings=lambda: _findings(tree),
        locks=world.locks,
    )
    questions = [*doctor_machine.questions(machine), *_environments(tree, environment, machine, world)]
    diagnoses = looking.examine(questions)
    print_json(looking.as_json(diagnoses)) if as_json else click.echo(looking.text(diagnoses))
    raise click.exceptions.Exit(looking.exit_code(diagnoses))


def _environments(tree: WorkTree, only: str | None, machine: Machine, world: World) -> Iterator[Question]:
    """What is asked for each environment whose files can be read; the others are told by the check of the files."""
    from releasectl.edges.doctor_aws import DoctorAws
    from releasectl.edges.doctor_github import DoctorGithub
    from releasectl.edges.github_runs import server_of

    try:
        pipeline, project = target.read_pipeline(tree, ""), target.read_project(tree, "")
    except (InvalidFile, MissingFile):
        return
    chosen = [pipeline.environment(only)] if only else list(pipeline.environments)
    account, origin, overridden = DoctorAws(), machine.origin(), os.environ.get("PULUMI_BACKEND_URL", "")
    repository = doctor_repository.repository_of(origin, server_of(os.environ))
    for each in chosen:
        is_first = each == pipeline.first
        for wanted in _wanted(tree, each.name, world):
            yield Question(Subject("record", each.name), partial(_outputs, each.name, world), _recorded)
            yield from doctor_account.questions(wanted, account)
            yield from doctor_network.questions(wanted, account)
            yield from doctor_machine.state_questions(
                wanted, machine, account, project=project, overridden=overridden, is_first=is_first
            )
            yield from doctor_bootstrap.questions(wanted, account, repository, is_first=is_first)
    yield from doctor_repository.questions(
        origin, repository, chosen, DoctorGithub(os.environ), review=tree.read("", own_workflows.REVIEW)
    )


def _wanted(tree: WorkTree, environment: str, world: World) -> Iterator[Wanted]:
    """What an environment wants, as far as it can be read; why not is told by the check of files, or by the record."""
    try:
        read = target.read_target(tree, "", environment)
    except (InvalidFile, MissingFile):
        return
    wanted = Wanted(environment, read.settings, read.secrets_provider)
    try:
        yield replace(wanted, outputs=_outputs(environment, world))
    except ControllerError:
        yield wanted


def _outputs(environment: str, world: World) -> Outputs | None:
    """What the newest deployment was told of, None before the first."""
    recorded = world.records.history(environment, 1)
    return read_outputs(recorded[0].outputs) if recorded and recorded[0].outputs else None


def _recorded(subject: Subject, outputs: Outputs | None) -> Iterator[Diagnosis]:
    if outputs:
        yield subject.fine(f"its last deployment was of {', '.join(outputs.services) or 'no service'}")
    else:
        yield subject.fine("it does not exist yet, so neither its topic nor its images can be asked about")


def _findings(tree: WorkTree) -> Iterator[Finding]:
    """What `releasectl check` says."""
    found, environments = files.findings(tree, "")
    yield from found
    for name in environments:
        yield from settings.findings(tree.root, name)


def _told(address: str) -> str:
    """An address without the token that may stand in it."""
    return re.sub(r"//[^/@]+@", "//", address)
