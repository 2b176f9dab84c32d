"""Commands that stop something at once: hold an environment, reject a digest; and let it go on."""

import click

from releasectl import brakes, target
from releasectl.commands import as_json, commit, named, real_world, say, wanted_at
from releasectl.commands.proposing import committed, starting
from releasectl.evidence import LOOK_BACK
from releasectl.pipeline import hold_path, rejection_path
from releasectl.proposals import Proposal, UnknownService
from releasectl.release import Pin

lift = click.option("--lift", is_flag=True, help="Let it go on.")
why = click.option("--reason", default="", help="For everybody who meets it.")


@click.command()
@named
@why
@lift
@starting
@as_json
def hold(environment: str, reason: str, *, lift: bool, starts: bool, as_json: bool) -> None:
    """Do not change ENVIRONMENT until the hold is lifted, by a commit on main. A rollback still passes."""
    _require_one(reason, lift=lift)
    world = real_world()
    by, now = world.desired.user(), world.clock.now()

    def make(tip: str) -> Proposal:
        target.read_pipeline(world.desired, tip).environment(environment)
        before = world.desired.read(tip, hold_path(environment))
        if lift:
            return brakes.lift_hold(environment, before)
        return brakes.hold(environment, before, by=by, reason=reason, now=now)

    following = f"releasectl reconcile {environment}" if lift else f"releasectl hold {environment} --lift"
    committed(commit(environment, world, make), following, starts=starts, as_json=as_json)


@click.command()
@named
@click.argument("service")
@click.argument("digest")
@why
@click.option("--commit", "source", default="", help="The source commit; that of the newest deployment if left out.")
@lift
@starting
@as_json
def reject(
    environment: str, service: str, digest: str, *, reason: str, source: str, lift: bool, starts: bool, as_json: bool
) -> None:
    """Never pin DIGEST of SERVICE in ENVIRONMENT, nor a rebuild of its commit, by a commit on main."""
    _require_one(reason, lift=lift)
    world = real_world()
    history = world.records.history(environment, LOOK_BACK)
    deployment, built_from = brakes.known(history, service, digest)
    pin = Pin(digest, "", source or built_from, "")

    def make(tip: str) -> Proposal:
        services = wanted_at(world, tip, environment).release.services
        if service not in services:
            raise UnknownService(
                f"rejecting {service} in {environment}: it has {', '.join(services)}", "Check the name of the service."
            )
        before = world.desired.read(tip, rejection_path(environment, service, digest))
        if lift:
            return brakes.lift_rejection(environment, service, digest, before)
        return brakes.reject(environment, service, before, pin=pin, reason=reason, deployment=deployment)

    done = commit(environment, world, make)
    stands = wanted_at(world, done.commit, environment).release.services[service].digest == digest
    if stands and not lift:
        say(f"{environment} pins it now, and this takes nothing away")
    following = f"releasectl {'rollback' if stands and not lift else 'status'} {environment}"
    committed(done, following, starts=starts, as_json=as_json)


def _require_one(reason: str, *, lift: bool) -> None:
    if lift == bool(reason.strip()):
        raise click.UsageError("Give --reason, or --lift.")
