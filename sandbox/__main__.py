"""`python -m sandbox up|down|env|demo`: a laptop-sized AWS with a door of its own.

Comes in: a state folder, or nothing. Goes out: a sandbox that keeps running and how to use it (`up`), its
variables for a shell (`env`), nothing left (`down`), or the whole story played and cleaned up (`demo`).
"""

import json
import shlex
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import click

from releasectl.errors import ControllerError
from sandbox import demo as story
from sandbox import place
from sandbox.place import Sandbox

PROJECT = Path(__file__).resolve().parent.parent
state = click.option(
    "--state", type=click.Path(path_type=Path), default=PROJECT / ".sandbox", help="Its folder; one for each sandbox."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """A laptop-sized AWS: no account, no token, no Docker."""


@cli.command()
@state
@click.option("--port", default=0, help="Of AWS on loopback; a free one when left out.")
def up(state: Path, port: int) -> None:
    """Start a sandbox that keeps running, and say how to use it."""
    click.echo(_guide(place.up(state, PROJECT, port)))


@cli.command()
@state
def down(state: Path) -> None:
    """End a sandbox and remove every trace of it."""
    place.down(place.find(state))
    click.echo(f"The sandbox in {state} is gone.")


@cli.command()
@state
def env(state: Path) -> None:
    """Print its variables: eval "$(python -m sandbox env)"."""
    click.echo(_exports(place.find(state)))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each step.")
@click.option("--keep", type=click.Path(path_type=Path), default=None, help="Leave the sandbox running in this folder.")
@click.option("--until", default="", help="End after this step.")
def demo(as_json: bool, keep: Path | None, until: str) -> None:
    """Play the main job in a sandbox of its own; exit 0 only if every step held."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sandbox-") as scratch:
        made: list[Sandbox] = []

        def ready() -> str:
            made.append(place.up(keep or Path(scratch) / "sandbox", PROJECT))
            return "ECR, SNS, CloudWatch, App Runner, a remote: all on loopback"

        try:
            first = story.timed("sandbox-ready", ready)
            held = _tell(first, as_json)
            for step in story.play(made[0]) if held else ():
                held = _tell(step, as_json) and held
                if step.step == until:
                    break
        finally:
            if made and not keep:
                place.down(made[0])
    if not as_json:
        click.echo(f"{'All steps held' if held else 'A step failed'}, {time.monotonic() - begun:.1f} s.")
    raise click.exceptions.Exit(0 if held else 1)


def _tell(step: story.Step, as_json: bool) -> bool:
    if as_json:
        click.echo(json.dumps(asdict(step)))
    else:
        mark = click.style("ok  ", fg="green") if step.ok else click.style("FAIL", fg="red")
        click.echo(f"{mark} {step.step:22} {step.seconds:5.1f} s  {step.said}")
    return step.ok


def _exports(sandbox: Sandbox) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sandbox.variables.items())


def _guide(sandbox: Sandbox) -> str:
    folder = sandbox.folder
    return f"""The sandbox is up in {folder}. To use it:

  eval "$(python -m sandbox env --state {folder})"     # AWS, TLS and pulumi now mean the sandbox
  cd {sandbox.clone}                                   # a clone of its remote: push to main is a merge
  releasectl status
  aws ecr describe-repositories                        # the AWS CLI, and in Python:
  python -c 'import boto3; print(boto3.client("apprunner").list_services()["ServiceSummaryList"])'

  python -m sandbox down --state {folder}              # ends it and removes every trace"""


def main() -> NoReturn:
    """Errors become words and an exit code here alone."""
    try:
        code = cli.main(prog_name="python -m sandbox", standalone_mode=False)
    except ControllerError as error:
        click.echo(f"{click.style('error', fg='red')}: {error.message}\n  {error.remedy}", err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
