"""Commands that look and change nothing: check, preview, status, history, explain, env."""

import os
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click

from releasectl import brakes, comment, report, target
from releasectl import check as files
from releasectl import preview as proposal
from releasectl import reconcile as loop
from releasectl.commands import WorkTree, as_json, clone, named, print_json, real_world, say, settings
from releasectl.errors import ControllerError
from releasectl.next_step import Action
from releasectl.outputs import Outputs, Service
from releasectl.outputs import read as read_outputs
from releasectl.record import Deployment, Phase, Worker, as_data
from releasectl.target import Target
from releasectl.verify import Observation
from releasectl.world import World


@click.command()
@as_json
def check(as_json: bool) -> None:
    """Check every file of the work tree: pipeline, releases, settings, holds, rejections, overrides.

    Where there are workflows, each environment needs one that deploys it. Asks nobody outside. Exits with 2 when
    something is wrong.
    """
    root = clone().root
    found, environments = files.findings(WorkTree(root), "")
    findings = [*found, *(one for name in environments for one in settings.findings(root, name))]
    if as_json:
        print_json({"ok": not findings, "findings": [vars(finding) for finding in findings]})
    elif findings:
        click.echo("\n".join(str(finding) for finding in findings))
    else:
        click.echo("All files are valid.")
    if findings:
        raise click.exceptions.Exit(2)


@click.command()
@named
@click.option("--ref", default="", help="A commit or branch instead of the work tree.")
@click.option("--markdown", is_flag=True, help="Print it as a comment for a pull request.")
@as_json
def preview(environment: str, ref: str, *, markdown: bool, as_json: bool) -> None:
    """Show what the release file of ENVIRONMENT would change, and what every gate says. Changes nothing.

    Exits with 1 when a gate refuses it. A gate that only waits is told and is no reason against a merge.
    """
    world = real_world()
    wanted = _wanted(environment, ref, world)
    if not wanted.is_created:
        said = f"{environment} has no program yet, so there is nothing to preview"
        print_json({"environment": environment, "changes": [], "reason": said}) if as_json else click.echo(said)
        return
    with tempfile.TemporaryDirectory(prefix="releasectl-") as folder:
        seen = proposal.preview(wanted, world, folder=Path(folder) / "preview")
    if as_json:
        print_json(proposal.as_json(seen))
    else:
        click.echo(comment.comment(seen) if markdown else report.preview(seen))
    raise click.exceptions.Exit(seen.exit_code)


@click.command()
@click.argument("environment", required=False)
@as_json
def status(environment: str | None, as_json: bool) -> None:
    """What is pinned, what runs, how it is, what comes next: for ENVIRONMENT, or for all.

    One that cannot be looked at hides no other; then the exit code is that of its error.
    """
    world = real_world()
    pipeline = target.read_pipeline(world.desired, world.desired.fetch())
    looked, broken = [], {}
    for name in [environment] if environment else [each.name for each in pipeline.environments]:
        try:
            standing = loop.look(name, world)
            looked.append((standing, _seen(standing.deployment, world)))
        except ControllerError as error:
            if environment:
                raise
            broken[name] = error
    if as_json:
        errors = [{"environment": name, **error.as_json()} for name, error in broken.items()]
        print_json([*(_status(standing, seen) for standing, seen in looked), *errors])
    else:
        rows = [row for standing, seen in looked for row in report.status(standing, seen)]
        rows += [(name, "-", "-", "-", "unknown", type(error).__name__) for name, error in broken.items()]
        click.echo(report.table(("environment", "service", "pinned", "runs", "health", "next"), rows))
        for outputs in (_outputs(standing.deployment) for standing, _ in looked):
            for line in report.besides(outputs.services if outputs else {}):
                click.echo(line)
        for name, cause in broken.items():
            say(f"{name}: {cause.message}\n  {cause.remedy}")
    raise click.exceptions.Exit(max((error.exit_code for error in broken.values()), default=0))


@click.command()
@named
@click.option("--count", default=20, show_default=True, help="How many deployments.")
@as_json
def history(environment: str, count: int, as_json: bool) -> None:
    """What happened in ENVIRONMENT, newest first."""
    world = real_world()
    target.read_pipeline(world.desired, world.desired.fetch()).environment(environment)
    recorded = world.records.history(environment, count)
    if as_json:
        print_json([as_data(one) for one in recorded])
    else:
        click.echo(report.history(recorded))


@click.command()
@named
@as_json
def explain(environment: str, as_json: bool) -> None:
    """Why ENVIRONMENT stands where it stands, what the gates say, what happens next and which command helps."""
    standing = loop.look(environment, real_world())
    command = helps(standing)
    if as_json:
        last = standing.deployment
        phases = as_data(last)["phases"] if last else []
        gates = [proposal.gate_as_json(no) for no in standing.situation.admission.nos]
        print_json({**loop.as_json(standing), "phases": phases, "gates": gates, "command": command})
    else:
        click.echo(report.explain(standing, command))


@click.command()
@named
def env(environment: str) -> None:
    """Print what gives the plain pulumi CLI the same place: eval "$(releasectl env ENVIRONMENT)"."""
    wanted = target.read_target(WorkTree(clone().root), "", environment)
    for name, value in (wanted.variables | {"PULUMI_STACK": environment}).items():
        if value and not os.environ.get(name):
            click.echo(f"export {name}={shlex.quote(value)}")


def helps(standing: loop.Standing) -> str:
    """The command that brings an environment on from where it stands, "" when nothing is needed."""
    environment, action, last = standing.environment, standing.step.action, standing.deployment
    if action is Action.REST:
        return "" if standing.target.is_created else f"releasectl bump --program --environment {environment}"
    if action is Action.STALL and last:
        if last.phase not in (Phase.FAILED, Phase.REFUSED):
            return f"releasectl reconcile {environment} --retry"
        good = brakes.last_good(standing.target, standing.situation.history)
        return f"releasectl {'rollback' if good else 'preview'} {environment}"
    if action is Action.WAIT and any(no.finding.rule == "hold" for no in standing.situation.admission.waiting):
        return f"releasectl hold {environment} --lift"
    elsewhere = standing.situation.worker is Worker.ELSEWHERE and action is Action.WAIT
    return f"releasectl {'unlock' if elsewhere else 'reconcile'} {environment}"


def _wanted(environment: str, ref: str, world: World) -> Target:
    git = clone()
    if not ref:
        return target.read_target(WorkTree(git.root), "", environment)
    return target.read_target(world.desired, git.resolve(ref), environment)


def _outputs(deployment: Deployment | None) -> Outputs | None:
    return read_outputs(deployment.outputs) if deployment and deployment.outputs else None


def _seen(deployment: Deployment | None, world: World) -> dict[str, Observation]:
    outputs = _outputs(deployment)
    if outputs is None:
        return {}
    running = {name: service for name, service in outputs.services.items() if service.service}
    return {name: world.live.observe(outputs.region, service, watch=0) for name, service in running.items()}


def _declared(service: Service) -> dict[str, object]:
    """What a runtime, and a move to another one, add."""
    return {key: value for key, value in asdict(service).items() if key in ("runtime", "private", "leaving", "domain")}


def _status(standing: loop.Standing, seen: Mapping[str, Observation]) -> dict[str, object]:
    outputs = _outputs(standing.deployment)
    services = {}
    for name, pin in standing.target.release.services.items():
        declared = outputs.services.get(name) if outputs else None
        observation = seen.get(name)
        services[name] = {
            "pinned": pin.digest,
            "runs": observation.digest if observation else "",
            "healthy": observation.is_well if observation else None,
            "repository": declared.repository if declared else "",
            "url": declared.url if declared else "",
            **(_declared(declared) if declared else {}),
        }
    gates = [proposal.gate_as_json(no) for no in standing.situation.admission.nos]
    return {**loop.as_json(standing), "gates": gates, "services": services}
