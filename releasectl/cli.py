"""The command line: words in, exit code out. It builds the real World and decides nothing.

stdout is data, stderr is progress; `--json` wherever data is printed. Exit codes: 0 done or nothing to do,
1 the verdict is no, 2 wrong usage or an invalid file, 3 machinery, 4 waiting, 130 interrupted.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from releasectl import deploy, proposals, report, target
from releasectl import reconcile as loop
from releasectl.errors import ControllerError, InvalidFile
from releasectl.outputs import Outputs
from releasectl.outputs import read as read_outputs
from releasectl.proposals import PROGRAM, Build
from releasectl.record import Deployment
from releasectl.target import Target
from releasectl.verify import Observation
from releasectl.world import World

if TYPE_CHECKING:
    from releasectl.edges.git import Git

INTERRUPTED = 130
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
named = click.argument("environment")


class NotThere(ControllerError):
    """A digest that no registry has, or an environment that has no registry yet."""

    exit_code = 1


@dataclass(frozen=True)
class WorkTree:
    """Files as they lie in the clone, committed or not: what a person is about to propose."""

    root: Path

    def read(self, _commit: str, path: str) -> bytes | None:
        """None when it is not there."""
        file = self.root / path
        return file.read_bytes() if file.is_file() else None


def say(line: str) -> None:
    """Progress, for people."""
    click.echo(line, err=True)


def real_world() -> World:
    """The world as it is: this clone, these credentials. Imported late: `--help` must not wait for boto3."""
    from releasectl.edges.clock import Clock, holder  # noqa: PLC0415
    from releasectl.edges.ecr import Ecr  # noqa: PLC0415
    from releasectl.edges.git import Git  # noqa: PLC0415
    from releasectl.edges.live import Live  # noqa: PLC0415
    from releasectl.edges.pulumi import Engine  # noqa: PLC0415
    from releasectl.edges.record_branch import RecordBranch  # noqa: PLC0415
    from releasectl.edges.sns import Sns  # noqa: PLC0415

    git = Git.find(Path.cwd())
    return World(
        desired=git,
        records=RecordBranch(git),
        registry=Ecr(),
        engine=Engine(lambda line: say(f"  {line}")),
        live=Live(),
        notifier=Sns(),
        clock=Clock(),
        holder=holder(os.environ),
        folder=git.folder,
        say=say,
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="release-controller")
def cli() -> None:
    """Production is a reviewed line in git: `releases/<environment>.yaml` pins what runs."""


@cli.command()
@as_json
def check(as_json: bool) -> None:
    """Check every file of the work tree: pipeline, releases, settings. Asks nobody outside."""
    root = _root()
    findings = list(_findings(root))
    if as_json:
        _print_json({"ok": not findings, "findings": [vars(finding) for finding in findings]})
    elif findings:
        click.echo("\n".join(str(finding) for finding in findings))
    else:
        click.echo("All files are valid.")
    if findings:
        raise click.exceptions.Exit(2)


@cli.command()
@named
@click.option("--ref", default="", help="A commit or branch instead of the work tree.")
@as_json
def preview(environment: str, ref: str, as_json: bool) -> None:
    """Show what the release file of ENVIRONMENT would change. Changes nothing."""
    world = real_world()
    wanted = _wanted(environment, ref, world)
    with tempfile.TemporaryDirectory(prefix="releasectl-") as folder:
        planned = deploy.preview(wanted, world, folder=Path(folder) / "preview")
    if as_json:
        changes = [
            {**vars(change), "properties": [vars(prop) for prop in change.properties]} for change in planned.changes
        ]
        _print_json({"identity": planned.identity, "counts": planned.counts, "changes": changes})
    else:
        click.echo(report.plan(planned))


@cli.command()
@named
@click.option("--retry", is_flag=True, help="Try a stalled or waiting release once more.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the next attempt; exit 4 instead.")
@as_json
def reconcile(environment: str, retry: bool, no_wait: bool, as_json: bool) -> None:
    """Make ENVIRONMENT run what main says, prove it, record it."""
    standing = loop.reconcile(environment, real_world(), retry=retry, wait=not no_wait)
    if as_json:
        _print_json(loop.as_json(standing))
    elif standing.deployment:
        click.echo(report.deployment(standing.deployment))
        say(f"Next: releasectl status {environment}")
    else:
        click.echo(f"{environment}: {standing.step.reason}")
    raise click.exceptions.Exit(standing.exit_code)


@cli.command()
@click.argument("service", required=False)
@click.argument("digest", required=False)
@click.option("--commit", default="", help="The source commit that the image was built from.")
@click.option("--version", default="", help="A label for people.")
@click.option("--program", is_flag=True, help="Pin the newest program on main, too.")
@click.option("--environment", default="", help="Another environment than the first.")
@as_json
def bump(
    service: str | None,
    digest: str | None,
    *,
    commit: str,
    version: str,
    program: bool,
    environment: str,
    as_json: bool,
) -> None:
    """Pin a newly built DIGEST of SERVICE in the first environment, by a commit on main."""
    if (service is None) != (digest is None) or not (service or program):
        raise click.UsageError("Name a service and its digest, or --program, or both.")
    from releasectl.edges.git import Git  # noqa: PLC0415

    git, world = Git.find(Path.cwd()), real_world()
    name = _bumped(environment, git, service=service)
    path = target.release_path(name)
    build = Build(service, digest, version, commit) if service and digest else None
    made: list[proposals.Proposal] = []

    def change(tip: str) -> Mapping[str, bytes | None]:
        wanted = target.read_target(git, tip, name)
        newest = git.newest_commit(tip, *PROGRAM) if program else ""
        compare = _comparison(git, tip, service)
        made.append(proposals.bump(path, wanted.files[path], build=build, program=newest, is_ancestor=compare))
        return made[-1].files

    if build:
        _require_image(build, name, world)
    tip = git.commit("main", lambda: made[-1].message, change)
    proposal = made[-1]
    if as_json:
        _print_json({"environment": name, "changed": bool(proposal.files), "commit": tip, "reason": proposal.reason})
    else:
        click.echo(f"{name}: {proposal.reason}" + (f" (commit {tip[:12]})" if proposal.files else "; nothing to do"))
        say(f"Next: releasectl reconcile {name}")


@cli.command()
@click.argument("environment", required=False)
@as_json
def status(environment: str | None, as_json: bool) -> None:
    """What is pinned, what runs, how it is: for ENVIRONMENT, or for all."""
    world = real_world()
    pipeline = target.read_pipeline(world.desired, world.desired.fetch())
    names = [environment] if environment else [each.name for each in pipeline.environments]
    looked = [(standing, _seen(standing.deployment, world)) for standing in (loop.look(name, world) for name in names)]
    if as_json:
        _print_json([_status(standing, seen) for standing, seen in looked])
    else:
        rows = [row for standing, seen in looked for row in report.status(standing, seen)]
        click.echo(report.table(("environment", "service", "pinned", "runs", "health", "next"), rows))


@cli.command()
@named
@click.option("--count", default=20, show_default=True, help="How many deployments.")
@as_json
def history(environment: str, count: int, as_json: bool) -> None:
    """What happened in ENVIRONMENT, newest first."""
    world = real_world()
    target.read_pipeline(world.desired, world.desired.fetch()).environment(environment)
    recorded = world.records.history(environment, count)
    if as_json:
        from releasectl.record import as_data  # noqa: PLC0415

        _print_json([as_data(one) for one in recorded])
    else:
        click.echo(report.history(recorded))


@cli.command()
@named
@as_json
def explain(environment: str, as_json: bool) -> None:
    """Why ENVIRONMENT stands where it stands, and what happens next."""
    standing = loop.look(environment, real_world())
    if as_json:
        _print_json(loop.as_json(standing))
    else:
        click.echo(report.explain(standing))


@cli.command()
@named
def env(environment: str) -> None:
    """Print what gives the plain pulumi CLI the same place: eval "$(releasectl env ENVIRONMENT)"."""
    wanted = target.read_target(WorkTree(_root()), "", environment)
    for name, value in (wanted.variables | {"PULUMI_STACK": environment}).items():
        if value and not os.environ.get(name):
            click.echo(f"export {name}={shlex.quote(value)}")


def main() -> NoReturn:
    """The one place where errors become words and exit codes."""
    wants_json = "--json" in sys.argv
    try:
        code = cli.main(standalone_mode=False)
    except ControllerError as error:
        if wants_json:
            _print_json(error.as_json())
        say(f"{click.style('error', fg='red')}: {error.message}\n  {error.remedy}")
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        say("Interrupted. What the engine has begun goes on; the next reconcile picks it up.")
        code = INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)


def _root() -> Path:
    from releasectl.edges.git import Git  # noqa: PLC0415

    return Git.find(Path.cwd()).root


def _findings(root: Path) -> Iterator[Any]:
    """Every finding of every file, not only the first."""
    tree = WorkTree(root)
    try:
        pipeline = target.read_pipeline(tree, "")
    except InvalidFile as error:
        yield from error.findings
        return
    for environment in pipeline.environments:
        try:
            target.read_target(tree, "", environment.name)
        except InvalidFile as error:
            yield from error.findings
        else:
            yield from _settings_findings(root, environment.name)


def _settings_findings(root: Path, environment: str) -> Iterator[Any]:
    """What the program says of its settings: it is run, never imported."""
    from releasectl.errors import Finding  # noqa: PLC0415

    path = target.settings_path(environment)
    done = subprocess.run(
        [sys.executable, "-m", "stacks.settings", path, "--json"], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 2):
        yield Finding("file", path, f"the program cannot read it: {done.stderr.strip()}", "Mend `stacks/settings.py`.")
        return
    for finding in json.loads(done.stdout).get("findings", []):
        yield Finding(**finding)


def _wanted(environment: str, ref: str, world: World) -> Target:
    if not ref:
        return target.read_target(WorkTree(_root()), "", environment)
    from releasectl.edges.git import Git  # noqa: PLC0415

    git = Git.find(Path.cwd())
    commit = git.resolve(ref)
    return target.read_target(world.desired, commit, environment)


def _comparison(git: "Git", tip: str, service: str | None) -> Callable[[str, str], bool]:
    """Which of two source commits is older; builds from another repository count in the order they come."""
    source = target.read_pipeline(git, tip).services.get(service or "")
    return (lambda _older, _newer: False) if source and source.repository else git.is_ancestor


def _bumped(environment: str, git: "Git", *, service: str | None) -> str:
    """New builds enter by the first environment; another one only gets its first program this way."""
    tip = git.fetch()
    first = target.read_pipeline(git, tip).first.name
    if environment in ("", first):
        return first
    if service or target.read_target(git, tip, environment).is_created:
        raise click.UsageError(f"Bump {first} instead: what is proven there is then promoted to {environment}.")
    return environment


def _require_image(build: Build, environment: str, world: World) -> None:
    """A pin of what no registry has would only fail later, in front of everybody."""
    outputs = _outputs(next(iter(world.records.history(environment, 1)), None))
    if outputs is None or build.service not in outputs.services:
        raise NotThere(
            f"bumping {build.service} in {environment}: it has no registry yet",
            f"Create the environment first: releasectl bump --program, then releasectl reconcile {environment}",
        )
    repository = outputs.services[build.service].repository
    if not world.registry.images(outputs.region, repository, build.digest):
        raise NotThere(
            f"bumping {build.service} in {environment}: no image {build.digest} in {repository}",
            "Push the image to that repository first.",
        )


def _outputs(deployment: Deployment | None) -> Outputs | None:
    return read_outputs(deployment.outputs) if deployment and deployment.outputs else None


def _seen(deployment: Deployment | None, world: World) -> dict[str, Observation]:
    outputs = _outputs(deployment)
    if outputs is None:
        return {}
    running = {name: service for name, service in outputs.services.items() if service.service}
    return {name: world.live.observe(outputs.region, service, watch=0) for name, service in running.items()}


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
        }
    return {**loop.as_json(standing), "services": services}


def _print_json(data: object) -> None:
    click.echo(json.dumps(data, default=str, indent=2))
