"""The command that previews a pull request where it is reviewed: in a comment, a check, a summary.

Comes in: a number, and what the job may do. Goes out: for each environment one comment, edited in place, and one
check run with the verdict. Every word of the pull request is written as text. It merges nothing and changes nothing.
"""

import json
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import click

from releasectl import comment, review
from releasectl import preview as proposal
from releasectl.commands import as_json, clone, print_json, real_world, say
from releasectl.commands.proposing import real_forge
from releasectl.comment import code, text
from releasectl.edges.step_output import outputs
from releasectl.edges.step_summary import StepSummary
from releasectl.errors import ControllerError
from releasectl.forge import Forge, Report
from releasectl.preview import Preview
from releasectl.ready_account import preview_role, region
from releasectl.review import HeadMoved, Review
from releasectl.world import World

WHOLE = 900_000  # characters of a summary


@dataclass(frozen=True)
class Verdict:
    """What is said of one environment: for the comment, in full for the summary, and whether it may be merged."""

    environment: str
    title: str
    body: str
    whole: str
    conclusion: str  # as GitHub's checks have it
    error: str = ""  # the name of what was in the way

    @property
    def exit_code(self) -> int:
        """1 when it says no."""
        return int(self.conclusion == "failure")


@click.command(name="review")
@click.argument("number", type=click.IntRange(min=1))
@click.option("--environment", default="", help="This environment alone; all that it is about when left out.")
@click.option("--head", default="", help="The commit that is meant: a newer head is somebody else's to preview.")
@click.option("--look", is_flag=True, help="Only say what kind of pull request it is; needs no credentials of AWS.")
@click.option("--approved", is_flag=True, help="Run its own program: somebody who may approve that did, at --head.")
@as_json
def command(number: int, *, environment: str, head: str, look: bool, approved: bool, as_json: bool) -> None:
    """Preview pull request NUMBER on GitHub: a comment and a check for each environment that it is about.

    One that changes data alone is previewed with main's program, whoever wrote it. Nothing of it is checked out.
    """
    if approved and not head:
        raise click.UsageError("--approved goes with --head: what was approved is one commit.")
    forge, world = real_forge(), real_world()
    seen = review.look(number, forge, world.desired)
    review.require_head(seen, head)
    if look:
        _tell_kind(seen, as_json=as_json)
        return
    names = [environment] if environment else list(seen.environments)
    verdicts = [_judged(seen, name, forge, world, approved=approved) for name in names]
    for one in verdicts:
        _publish(seen, one, forge, world)
    _take_back(seen, forge)
    if as_json:
        print_json([_as_data(one) for one in verdicts])
    else:
        click.echo("\n".join(f"{one.environment}: {one.title}" for one in verdicts) or "it is about no environment")
    raise click.exceptions.Exit(max((one.exit_code for one in verdicts), default=0))


def _as_data(one: Verdict) -> dict[str, str]:
    return {"environment": one.environment, "verdict": one.conclusion, "title": one.title, "error": one.error}


def marker(environment: str) -> str:
    """The first line of our comment about an environment."""
    return f"<!-- releasectl preview {environment} -->"


def _tell_kind(seen: Review, *, as_json: bool) -> None:
    """For people, for scripts, and for the workflow's next job."""
    kind = "code" if seen.changes.code else "data" if not seen.reason else "none"
    may = kind if not (kind == "code" and seen.pull.is_foreign) else "none"
    told = {"kind": may, "head": seen.pull.commit, "reason": seen.reason, "environments": list(seen.environments)}
    outputs(os.environ, kind=may, head=seen.pull.commit, environments=json.dumps(_matrix(seen)))
    if seen.reason:
        StepSummary(os.environ, say).add(f"Pull request {seen.pull.number} is not previewed: {text(seen.reason)}.")
    if as_json:
        print_json(told)
    else:
        about = ", ".join(seen.environments) or "no environment"
        click.echo(f"{may}: about {about}{f'; {seen.reason}' if seen.reason else ''}")


def _matrix(seen: Review) -> list[dict[str, str]]:
    """For the jobs that follow: names of main's pipeline, each with its role and region as the repository has them."""
    known = json.loads(os.environ.get("RELEASECTL_VARIABLES") or "{}")
    return [
        {"name": name, "role": known.get(preview_role(name), ""), "region": known.get(region(name), "")}
        for name in seen.environments
    ]


def _judged(seen: Review, environment: str, forge: Forge, world: World, *, approved: bool) -> Verdict:
    """Any way that a preview ends is a verdict; what could not be asked is no yes."""
    try:
        return _previewed(seen, environment, forge, world, approved=approved)
    except HeadMoved:
        raise
    except ControllerError as error:
        body = f"### {code(environment)}: not previewed\n\n{text(error.message)}\n\n{text(error.remedy)}\n"
        return Verdict(
            environment, f"not previewed: {error.message.splitlines()[0]}", body, body, "failure", type(error).__name__
        )


def _previewed(seen: Review, environment: str, forge: Forge, world: World, *, approved: bool) -> Verdict:
    made = review.approved if approved else review.data
    wanted = made(seen, environment, forge, world.desired)
    if not wanted.is_created:
        said = f"{environment} has no program yet, so there is nothing to preview"
        return Verdict(environment, said, f"### {text(said)}\n", f"### {text(said)}\n", "neutral")
    if approved:
        clone().fetch_refs(f"refs/pull/{seen.pull.number}/head")
    with tempfile.TemporaryDirectory(prefix="releasectl-") as folder:
        program = seen.pull.commit if approved else ""
        found = proposal.preview(wanted, world, folder=Path(folder) / "preview", approved=program)
    return _verdict(found, world.holder.run)


def _verdict(found: Preview, run: str) -> Verdict:
    no = found.admission.refused
    title = f"refused by {no[0].rule}: {no[0].message}" if no else found.plan.sentence
    return Verdict(
        found.environment,
        title,
        comment.comment(found, rest=run),
        comment.comment(found, most=WHOLE),
        "failure" if no else "success",
    )


def _publish(seen: Review, one: Verdict, forge: Forge, world: World) -> None:
    """The check belongs to the commit; a comment would be read as being about the newest one."""
    from releasectl.edges.github.errors import GithubDenied

    StepSummary(os.environ, say).add(one.whole)
    report = Report(
        name=f"preview {one.environment}", key=one.environment, title=one.title[:200], summary=one.body,
        conclusion=one.conclusion, url=world.holder.run,
    )  # fmt: skip
    try:
        forge.checks.put(seen.pull.commit, report)
        review.require_head(replace(seen, pull=forge.pulls.get(seen.pull.number)), seen.pull.commit)
        about = f"\n<sub>of {code(seen.pull.commit[:12])}</sub>\n"
        forge.comments.put(seen.pull.number, marker(one.environment), one.body + about)
    except GithubDenied as error:  # a token that may only read: the summary has it all
        say(f"{error.message}; see the summary of this job")


def _take_back(seen: Review, forge: Forge) -> None:
    """What an earlier head said about an environment that this one leaves alone is no longer true."""
    for comment_of in _others(seen, forge):
        say(f"{comment_of}: an earlier head was about it; saying that this one is not")
        said = f"### {code(comment_of)}: this pull request no longer changes it\n"
        forge.comments.put(seen.pull.number, marker(comment_of), said)


def _others(seen: Review, forge: Forge) -> list[str]:
    known = [name for name in seen.known if name not in seen.environments]
    return [name for name in known if forge.comments.find(seen.pull.number, marker(name))]
