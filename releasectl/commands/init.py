"""The command that makes the template a team's own: options or questions in, a diff, and files after a yes."""

import difflib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from releasectl import answers as told_by
from releasectl import check, target
from releasectl import init as making
from releasectl.answers import Answers, Files, Place
from releasectl.commands import WorkTree, as_json, clone, print_json, say, settings
from releasectl.commands.questions import ask
from releasectl.doctor_repository import repository_of
from releasectl.errors import Finding
from releasectl.init import Outcome
from releasectl.pipeline import Pipeline, parse_pipeline
from releasectl.plain_text import plain

_ABOUT_ALL = ("services", "repositories", "github", "app", "owners")


@click.command()
@click.option("--service", "services", multiple=True, metavar="NAME", help="All services that you have.")
@click.option("--repository", "repositories", multiple=True, metavar="[SERVICE=]OWNER/NAME", help="What builds them.")
@click.option(
    "--runtime", "runtimes", multiple=True, metavar="[SERVICE=]RUNTIME", help="fargate, ecs-express, app-runner."
)
@click.option("--account", default="", metavar="NUMBER", help="The AWS account; no other is ever touched.")
@click.option("--region", default="", help="The AWS region.")
@click.option("--email", "emails", multiple=True, metavar="ADDRESS", help="Who gets alerts: all of them.")
@click.option("--sms", multiple=True, metavar="NUMBER", help="Who gets alerts by SMS: all of them.")
@click.option("--vpc", default="", help="Where instances run; fargate needs it.")
@click.option("--subnet", "subnets", multiple=True, help="Of that VPC: all of them, in two zones or more.")
@click.option("--public-addresses/--no-public-addresses", default=None, help="Yes where these subnets have no NAT.")
@click.option("--github", default="", metavar="OWNER/NAME", help="This repository on GitHub.")
@click.option(
    "--app", default="", metavar="NUMBER", help="The GitHub App that may commit to main: its App ID, or `none`."
)
@click.option("--owner", "owners", multiple=True, metavar="@TEAM", help="Who reviews: all of them, in CODEOWNERS.")
@click.option("--environment", "environments", multiple=True, help="Whose settings; those of all if left out.")
@click.option("--yes", is_flag=True, help="Write. Without it you are asked; a script is only shown the difference.")
@as_json
def init(*, environments: tuple[str, ...], yes: bool, as_json: bool, **given: Any) -> None:
    """Make this project your own: services, account, region, runtime, repository, addresses.

    Edits the settings of every environment, pipeline.yaml, the release files, CODEOWNERS, the workflows and the
    rulesets of GitHub, and nothing in them but what you answer. Without any answer it asks, on a terminal, and offers
    what the files say today. Run it again whenever an answer changes.
    """
    tree = WorkTree(clone().root)
    files = told_by.read(tree, "")
    told = _told(parse_pipeline(target.PIPELINE, files[target.PIPELINE]), environments, given)
    if told == Answers():
        if not sys.stdin.isatty():
            raise click.UsageError("Give an answer, such as --region eu-west-1. Only on a terminal you are asked.")
        told = ask(_offered(told_by.present(files)))
    outcome = making.answered(files, told)
    findings = outcome.findings or tuple(_invalid(tree, files, outcome))
    if findings:
        _refuse(findings, as_json=as_json)
    _write(tree.root, files, outcome, yes=yes, as_json=as_json)


def _offered(today: Answers) -> Answers:
    """With the repository of the remote, where no file names one yet."""
    from releasectl.edges.github_runs import server_of

    return today if today.github else replace(today, github=repository_of(clone().url(), server_of(os.environ)))


@dataclass(frozen=True)
class _Proposed:
    """The work tree as it would be."""

    tree: WorkTree
    files: Files

    def read(self, commit: str, path: str) -> bytes | None:
        return self.files.get(path) or self.tree.read(commit, path)

    def list(self, commit: str, folder: str) -> tuple[str, ...]:
        return self.tree.list(commit, folder)


def _told(pipeline: Pipeline, environments: tuple[str, ...], given: Mapping[str, Any]) -> Answers:
    """The options as answers. Raises UnknownEnvironment."""
    chosen = [pipeline.environment(name).name for name in environments] or [one.name for one in pipeline.environments]
    about_all = {key: given[key] for key in _ABOUT_ALL}
    about_all["repositories"] = _by_service(given["repositories"])
    rest = {key: value for key, value in given.items() if key not in _ABOUT_ALL}
    place = Place(**{**rest, "runtimes": _by_service(given["runtimes"])})
    return Answers(**about_all, places={} if place == Place() else dict.fromkeys(chosen, place))


def _by_service(answers: Iterable[str]) -> dict[str, str]:
    """`web=fargate` is for web, `fargate` for all."""
    pairs = [answer.rpartition("=") for answer in answers]
    return {service: value for service, _, value in pairs}


def _invalid(tree: WorkTree, files: Files, outcome: Outcome) -> Iterator[Finding]:
    """What `releasectl check` would say afterwards, each thing once, however many files say it."""
    proposed = {**files, **outcome.files}
    found, _ = check.findings(_Proposed(tree, proposed), "")
    pipeline = parse_pipeline(target.PIPELINE, files[target.PIPELINE])
    for name in (each.name for each in pipeline.environments):
        found += tuple(settings.findings(tree.root, name, proposed[target.settings_path(name)]))
    yield from {(finding.message, finding.remedy): finding for finding in reversed(found)}.values()


def _refuse(findings: Iterable[Finding], *, as_json: bool) -> None:
    if as_json:
        print_json({"changed": False, "findings": [asdict(finding) for finding in findings]})
    else:
        click.echo("\n".join(map(str, findings)))
        say("Nothing was changed.")
    raise click.exceptions.Exit(2)


def _write(root: Path, files: Files, outcome: Outcome, *, yes: bool, as_json: bool) -> None:
    difference = "".join(_difference(files, outcome.files))
    if not as_json:
        click.echo(plain(difference or "The files say all of this already; nothing to do.\n"), nl=False)
    for note in outcome.notes:
        say(note)
    if outcome.files and not yes:
        _ask(as_json=as_json)
    for path, raw in outcome.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(raw)
    if as_json:
        print_json({"changed": bool(outcome.files), "files": sorted(outcome.files), "difference": difference})
    if outcome.files:
        say(f"Written: {', '.join(sorted(outcome.files))}. Commit and push them. Next: releasectl doctor")


def _ask(*, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        say("Nothing was changed. Next: the same command with --yes")
        raise click.exceptions.Exit(2)
    if not click.confirm("Write this?", err=True):
        say("Nothing was changed.")
        raise click.exceptions.Exit(1)


def _difference(before: Files, after: Files) -> Iterator[str]:
    """As `diff -u` and git show it; a line's end of CRLF is no difference of its own."""
    for path, raw in sorted(after.items()):
        old, new = (one.decode("utf-8", "replace").splitlines() for one in (before.get(path, b""), raw))
        yield from (f"{line}\n" for line in difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm=""))
