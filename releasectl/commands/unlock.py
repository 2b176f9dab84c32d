"""The command for a person who knows that a holder is dead: shows who holds an environment, asks, sets it free."""

import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import click

from releasectl import unlock as freeing
from releasectl.commands import as_json, named, print_json, real_world, say
from releasectl.plain_text import plain
from releasectl.unlock import Held


@click.command()
@named
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--adopt", multiple=True, metavar="URN=ID", help="A pending create made this object: take it over.")
@click.option("--forget", multiple=True, metavar="URN", help="A pending create made nothing.")
@as_json
def unlock(environment: str, *, yes: bool, adopt: tuple[str, ...], forget: tuple[str, ...], as_json: bool) -> None:
    """Show who holds ENVIRONMENT; once you say that it is dead, set the stack free and record that you did.

    Never needed for what a dead controller of this host, or of a CI run that ended, left: reconcile sees that itself.
    What lives is never taken away.
    """
    world = real_world()
    if adopt or forget:
        answers = _answers(adopt, forget)
        with tempfile.TemporaryDirectory(prefix="releasectl-") as folder:
            settled = freeing.settle(environment, answers, world, folder=Path(folder) / "settle")
        print_json({"environment": environment, "settled": settled}) if as_json else click.echo("\n".join(settled))
        say(f"Next: releasectl reconcile {environment}")
        return
    held = freeing.look(environment, world)
    lines = _lines(held, world.clock.now())
    if not as_json:
        click.echo(plain("\n".join(lines)) or f"{environment}: nobody holds it")
    elif not held.alive:  # who lives is told by the error, and stdout is one document
        print_json({"environment": environment, "holders": lines})
    if held.is_free:
        return
    if not yes and not held.alive:
        _ask(environment)
    told = freeing.run(held, world)
    if told and not as_json:
        click.echo(plain(told.notes[-1].message if told.notes else told.message))
    say(f"Next: releasectl reconcile {environment}")


def _ask(environment: str) -> None:
    """Only a person can answer; a script has to say it beforehand."""
    if not sys.stdin.isatty():
        say(f"Nothing was changed. Next: releasectl unlock {environment} --yes")
        raise click.exceptions.Exit(2)
    click.confirm("Are they dead? An engine that still works would write over what the next one does", abort=True)


def _answers(adopt: tuple[str, ...], forget: tuple[str, ...]) -> dict[str, str]:
    pairs = [answer.rpartition("=") for answer in adopt]
    if any(not urn or not identifier for urn, _, identifier in pairs):
        raise click.UsageError("Give --adopt URN=ID.")
    return {urn: identifier for urn, _, identifier in pairs} | dict.fromkeys(forget, "")


def _lines(held: Held, now: datetime) -> list[str]:
    lines = [f"lock: {lock}, {_age(now - lock.at)} old" for lock in held.locks]
    if held.deployment:
        who = held.deployment.holder
        run = f", run {who.run}" if who.run else ""
        lines.append(
            f"deployment {held.deployment.id}: {held.deployment.phase} by pid {who.pid} on {who.host}{run}, "
            f"{_age(now - held.deployment.since)} old"
        )
    return lines


def _age(age: timedelta) -> str:
    return str(timedelta(seconds=max(0, round(age.total_seconds()))))
