"""The command that takes an environment away: the way out, and the only one."""

import tempfile
from pathlib import Path

import click

from releasectl import report
from releasectl import teardown as way_out
from releasectl.commands import as_json, named, print_json, real_world, say
from releasectl.record import Phase, as_data
from releasectl.teardown import Leaving


@click.command()
@named
@click.option("--yes", is_flag=True, help="Do it. Without it, what would go is shown and nothing is changed.")
@click.option("--delete-images", is_flag=True, help="Delete the images in the environment's repositories, too.")
@as_json
def teardown(environment: str, *, yes: bool, delete_images: bool, as_json: bool) -> None:
    """Take ENVIRONMENT away, protected resources included: a commit empties its release file, the engine deletes."""
    from releasectl.edges.ecr_images import EcrImages

    world, images = real_world(), EcrImages()
    with tempfile.TemporaryDirectory(prefix="releasectl-") as folder:
        leaving = way_out.look(environment, world, images, folder=Path(folder) / "look")
    if not yes:
        _show(leaving, as_json=as_json)
        if leaving.built:
            say(f"Nothing was changed. Next: releasectl teardown {environment} --yes{_images_option(leaving)}")
            raise click.exceptions.Exit(2)
        return
    gone = way_out.run(leaving, world, images, delete_images=delete_images)
    if gone is None:
        _show(leaving, as_json=as_json)
        return
    if as_json:
        print_json(as_data(gone))
    else:
        click.echo(report.deployment(gone))
        following = f"teardown {environment} --yes" if gone.phase is not Phase.LIVE else f"history {environment}"
        say(f"Next: releasectl {following}")
    raise click.exceptions.Exit({Phase.LIVE: 0, Phase.FAILED: 1}.get(gone.phase, 3))


def _images_option(leaving: Leaving) -> str:
    return " --delete-images" if any(leaving.images.values()) else ""


def _show(leaving: Leaving, *, as_json: bool) -> None:
    if as_json:
        changes = [{"type": change.type, "name": change.name} for change in leaving.resources.changes]
        print_json({"environment": leaving.environment, "resources": changes, "images": dict(leaving.images)})
    elif leaving.built is None:
        click.echo(f"{leaving.environment}: nothing is there to take away")
    else:
        click.echo(report.leaving(leaving))
