"""The command line: words in, exit code out. It decides nothing.

stdout is data, stderr is progress; `--json` wherever data is printed; NO_COLOR is honoured. Exit codes: 0 done or
nothing to do, 1 the verdict is no, 2 wrong usage or an invalid file, 3 machinery, 4 waiting, 130 interrupted.
"""

import os
import sys
from typing import NoReturn

import click

from releasectl.commands import (
    bootstrap,
    bump,
    doctor,
    drift,
    image,
    init,
    look,
    print_json,
    promote,
    publish,
    release,
    review,
    stop,
    teardown,
    unlock,
)
from releasectl.edges import interrupt
from releasectl.errors import ControllerError

INTERRUPTED = 130


class HostFailed(ControllerError):
    """This host could not read or write a file: its disk is full, or the file is not ours.

    Why: The clone, its `.git/releasectl` or the folder for temporary files has no room, another owner, or
    something else in the place of a folder.
    Do: Make room, or give what the message names the right owner, then run the same command again.
    """


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="release-controller")
def cli() -> None:
    """Production is a reviewed line in git: `releases/<environment>.yaml` pins what runs."""


for command in (
    *(init.init, doctor.doctor),
    *(look.check, look.preview, look.status, look.history, look.explain, look.env),
    *(release.reconcile, bump.bump, promote.promote, release.rollback, release.redeploy),
    *(stop.hold, stop.reject),
    bootstrap.bootstrap,
    drift.drift,
    review.command,
    *(image.image, publish.publish, publish.failed),
    unlock.unlock,
    teardown.teardown,
):
    cli.add_command(command)


def main() -> NoReturn:
    """The one place where errors become words and exit codes."""
    interrupt.install()
    # https://no-color.org: click asks only whether stdout is a terminal.
    color = False if os.environ.get("NO_COLOR") else None
    try:
        code = cli.main(standalone_mode=False, color=color)
    except ControllerError as error:
        code = _told(error, color=color)
    except BrokenPipeError:
        # Whoever read our output has enough; the interpreter must not try to flush the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        code = _told(
            HostFailed(
                f"working on {error.filename or 'a file'} of this host: {error.strerror or error}",
                "Make room, or give the folder the right owner, then run the same command again.",
            ),
            color=color,
        )
    except click.ClickException as error:
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. Nothing is lost: run the same command again and it goes on.", err=True)
        sys.stdout.flush()
        # Threads may still watch a service; nobody waits for them.
        os._exit(INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


def _told(error: ControllerError, *, color: bool | None) -> int:
    if "--json" in sys.argv:
        print_json(error.as_json())
    click.echo(f"{click.style('error', fg='red')}: {error.message}\n  {error.remedy}", err=True, color=color)
    return error.exit_code
