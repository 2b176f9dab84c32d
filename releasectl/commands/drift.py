"""The command that looks for drift, and the two ways out: take it back, or make it what should run."""

import tempfile
from pathlib import Path

import click

from releasectl import drift as found_drift
from releasectl import mend, report
from releasectl.commands import as_json, named, print_json, real_world, say
from releasectl.drift import Drift
from releasectl.mend import Mended
from releasectl.preview import gate_as_json
from releasectl.record import Phase, as_data

WAITING = 4


@click.command()
@named
@click.option("--remediate", is_flag=True, help="Take all of it back: deploy the same release again.")
@click.option("--reason", default="", help="Why it is taken back; for the record.")
@as_json
def drift(environment: str, *, remediate: bool, reason: str, as_json: bool) -> None:
    """Tell what was changed, deleted or added by hand in ENVIRONMENT since the last deployment. Changes nothing.

    Exits with 0 when there is none, with 1 when there is.
    """
    if reason and not remediate:
        raise click.UsageError("--reason goes with --remediate.")
    world = real_world()
    if remediate:
        _tell_mended(environment, mend.mend(environment, world, reason=reason), as_json=as_json)
        return
    with tempfile.TemporaryDirectory(prefix="releasectl-") as folder:
        found = mend.look(environment, world, folder=Path(folder) / "drift")
    _tell(found, as_json=as_json)
    raise click.exceptions.Exit(1 if found.all else 0)


def _tell(found: Drift, *, as_json: bool) -> None:
    if as_json:
        print_json(found_drift.as_json(found))
        return
    click.echo(found_drift.text(found))
    if found.all:
        say(f"Next: releasectl drift {found.environment} --remediate")


def _tell_mended(environment: str, mended: Mended, *, as_json: bool) -> None:
    done = mended.deployment
    if mended.admission:
        gates = [gate_as_json(no) for no in mended.admission.nos]
        lines = report.gates(mended.admission)
        print_json({"environment": environment, "gates": gates}) if as_json else click.echo("\n".join(lines))
        raise click.exceptions.Exit(1 if mended.admission.refused else WAITING)
    if done is None:
        _tell(mended.drift or Drift(environment), as_json=as_json)
        return
    if as_json:
        print_json(as_data(done))
    else:
        click.echo(report.deployment(done))
        say(f"Next: releasectl drift {environment}")
    raise click.exceptions.Exit({Phase.LIVE: 0, Phase.FAILED: 1, Phase.REFUSED: 1}.get(done.phase, 3))
