"""Commands of a pipeline beside releases: a version's page with its files, and the issue about a pipeline that fails.

Comes in: a tag and files, or the name of what failed. Goes out: a page that is public once all files are there; one
open issue while it lasts. Each may be asked again. Neither releases anything.
"""

import mimetypes
import os
from pathlib import Path

import click

from releasectl.commands import clone, real_world, say
from releasectl.commands.proposing import real_forge
from releasectl.commands.sources import Sources
from releasectl.comment import code, text
from releasectl.same_source import is_newest
from releasectl.target import read_pipeline


@click.command()
@click.argument("tag")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def publish(tag: str, files: tuple[Path, ...]) -> None:
    """Publish the page of version TAG on GitHub with FILES: as a draft first, so that nobody sees half of it."""
    git, forge = clone(), real_forge()
    commit = Sources(git, read_pipeline(git, git.fetch())).tagged(tag)
    page = forge.publications.draft(tag, commit, title=tag, notes=f"What {code(tag)} has, its commits say.")
    for file in files:
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        page = forge.publications.attach(page, file.name, file.read_bytes(), kind=kind)
    page = forge.publications.publish(page, is_latest=is_newest(tag, git.tags()))
    click.echo(page.url)


@click.command()
@click.argument("what")
@click.option("--mended", is_flag=True, help="It works again: close the issue.")
def failed(what: str, *, mended: bool) -> None:
    """Keep one open issue on GitHub while WHAT, a workflow of main, fails."""
    marker, issues, run = f"<!-- release-controller: failed {text(what)} -->", real_forge().issues, _run()
    if mended:
        closed = issues.close(marker, f"It works again: {run}\n")
        say(f"closed {closed.url}" if closed else "no issue is open")
        return
    body = f"{code(what)} failed on main: {run}\n\nNothing was released by it. The next good run closes this.\n"
    click.echo(issues.put(marker, f"{what} fails on main", body).url)


def _run() -> str:
    return real_world().holder.run or os.environ.get("GITHUB_WORKFLOW", "by hand")
