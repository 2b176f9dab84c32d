"""The command that makes an AWS account ready, once: shows who we are and what would be made, asks, makes it."""

import os
import sys
import tempfile
from pathlib import Path

import click

from releasectl import bootstrap as ready
from releasectl import edit, report, target
from releasectl.account import Account, Repository, bucket_name
from releasectl.bootstrap import Look
from releasectl.commands import WorkTree, as_json, clone, print_json, say
from releasectl.plain_text import plain
from releasectl.ready_account import Ready


@click.command()
@click.option("--repository", default="", metavar="OWNER/NAME", help="On GitHub; else that of the remote `origin`.")
@click.option("--repository-id", default="", metavar="N", help="Its number; else GitHub is asked.")
@click.option("--owner-id", default="", metavar="N", help="The number of its owner; else GitHub is asked.")
@click.option("--environment", "only", multiple=True, metavar="NAME", help="Only these live in this account.")
@click.option("--region", default="", help="Of the state and its keys; else that of the first environment.")
@click.option("--bucket", default="", metavar="NAME", help="For the state; else releasectl-ACCOUNT-REGION.")
@click.option("--preview", is_flag=True, help="Show what would be made, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--write", is_flag=True, help="Write backend and boundary into the settings, too; nothing is committed.")
@as_json
def bootstrap(  # noqa: PLR0913 - one parameter an option
    *,
    repository: str,
    repository_id: str,
    owner_id: str,
    only: tuple[str, ...],
    region: str,
    bucket: str,
    preview: bool,
    yes: bool,
    write: bool,
    as_json: bool,
) -> None:
    """Make this AWS account ready: a bucket for the state, keys, and a role for each job of GitHub Actions.

    Needed once, by an administrator. Run again, it finds its own state in the bucket and changes what has changed.
    """
    from releasectl.edges.account import AwsAccount
    from releasectl.edges.account_folder import AccountFolder
    from releasectl.edges.pulumi import Engine

    root = clone().root
    pipeline = target.read_pipeline(WorkTree(root), "")
    stages = ready.stages(pipeline, only)
    where = region or str(target.read_settings(WorkTree(root), "", stages[0].name).get("aws:region", ""))
    asked = _asked(repository, repository_id, owner_id)
    named = _named(asked, root)
    cloud = AwsAccount(where)
    identity = cloud.identity()
    say(f"AWS account {identity.account}, as {identity.arn}, region {where}")
    account = Account(
        identity.partition, identity.account, where, bucket or bucket_name(identity.account, where), named, stages
    )
    with tempfile.TemporaryDirectory(prefix="releasectl-") as folder:
        work = AccountFolder(root, Path(folder), where, Engine(lambda line: say(f"  {line}")))
        looked = ready.look(account, cloud, work, asked=asked)
        say(f"GitHub repository {looked.account.repository.name}{_numbers(looked.account.repository)}")
        _show(looked, as_json=as_json and preview)
        if preview:
            return
        if not looked.is_ready and not yes:
            _ask(looked.account)
        result = ready.run(looked, cloud, work, say=say)
    if failure := ready.failed(result):
        raise failure
    made = Ready.of(result.plan.outputs, [stage.name for stage in stages])
    written = _write(root, made) if write else []
    if as_json:
        print_json(made.as_json() | {"changed": not looked.is_ready, "written": written})
    else:
        click.echo(plain(made.text(written)))


def _asked(name: str, number: str, owner: str) -> Repository:
    """What a person said; numbers are told from names here, where the mistake can be mended."""
    from releasectl.edges.github_repository import is_name

    if name and not is_name(name):
        raise click.BadParameter(f"{name!r} is not OWNER/NAME", param_hint="--repository")
    for option, value in (("--repository-id", number), ("--owner-id", owner)):
        if value and not value.isdecimal():
            raise click.BadParameter(f"{value!r} is no number", param_hint=option)
    return Repository(name, number, owner)


def _named(asked: Repository, root: Path) -> Repository:
    """The whole of it: what was said, else the remote, and GitHub for the numbers."""
    from releasectl.edges.git import Git
    from releasectl.edges.github_repository import GithubRepository, name_of

    name = asked.name or name_of(Git(root).url())
    if not name:
        raise click.UsageError("The remote `origin` is no repository on GitHub: give --repository OWNER/NAME.")
    if asked.id and asked.owner_id:
        return Repository(name, asked.id, asked.owner_id)
    told = GithubRepository(os.environ).ask(name) or Repository(name)
    return Repository(told.name, asked.id or told.id, asked.owner_id or told.owner_id)


def _numbers(named: Repository) -> str:
    if named.id and named.owner_id:
        return f", number {named.id} of owner {named.owner_id}"
    return ", whose numbers GitHub does not tell; --repository-id and --owner-id do"


def _show(looked: Look, *, as_json: bool) -> None:
    plan = looked.plan
    if as_json:
        changes = [{"operation": one.operation, "type": one.type, "name": one.name} for one in plan.changes]
        account = looked.account
        print_json(
            {
                "account": account.id,
                "region": account.region,
                "bucket": account.bucket,
                "makes_bucket": looked.makes_bucket,
                "repository": account.repository.__dict__,
                "owns_provider": account.owns_provider,
                "changes": changes,
            }
        )
        return
    if not looked.account.owns_provider:
        say(f"{looked.account.provider} is there already: it is used, and never changed or deleted")
    if looked.makes_bucket:
        say(f"the bucket {looked.account.bucket} is made first")
    say(report.plan(plan))


def _ask(account: Account) -> None:
    """Only a person can say that it is the right account; a script has to say it beforehand."""
    if not sys.stdin.isatty():
        say("Nothing was changed. Next: releasectl bootstrap --yes")
        raise click.exceptions.Exit(2)
    click.confirm(f"Make all this in the account {account.id}?", abort=True, err=True)


def _write(root: Path, made: Ready) -> list[str]:
    """Backend and boundary into the settings, byte-exactly. The files that were changed."""
    written = []
    for name, changes in made.settings().items():
        path = root / target.settings_path(name)
        before = path.read_bytes()
        after = edit.edit(path.name, before, changes)
        if after != before:
            path.write_bytes(after)
            written.append(path.name)
    return written
