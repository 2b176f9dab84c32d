"""Doctor, the repository on GitHub: main is reviewed, the record only grows, each environment has what its jobs need.

Comes in: the address of the remote, the environments, and facts of GitHub. Goes out: questions, and diagnoses. What a
token may not see is "could not ask", never fine.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from releasectl import protection
from releasectl.account import APPROVED, BOT
from releasectl.doctor import Diagnosis, Question, Subject, known
from releasectl.doctor_facts import PROTECTED, Branch, Forge, Place
from releasectl.own_workflows import REVIEW, reviewer
from releasectl.pipeline import Environment
from releasectl.protection import CHECK
from releasectl.ready_account import BUILD_ROLE, DEPLOY_ROLE, REGION, preview_role, region

RECORD = "deployments"
APP = "RELEASE_APP_CLIENT_ID"
# The older kind of protection forbids both by itself.
_KEEPS = {"non_fast_forward": "a forced push", "deletion": "a deletion"}
_ADDRESS = re.compile(r"(?:https://(?:[^@/]+@)?|ssh://git@|git@)(?P<host>[^:/]+)[:/](?P<name>[^/]+/[^/]+?)(?:\.git)?/?")


def repository_of(origin: str, server: str) -> str:
    """owner/name of a remote on this server of GitHub, "" for any other."""
    found = _ADDRESS.fullmatch(origin)
    host = server.rstrip("/").rpartition("/")[2]
    return found["name"] if found and found["host"] == host else ""


def questions(
    origin: str, repository: str, environments: Sequence[Environment], forge: Forge, *, review: bytes | None = None
) -> Iterator[Question]:
    """Everything about a repository; nothing but its absence where it is not on GitHub.

    `review` is the workflow that calls the preview, None where there is none.
    """
    if not repository:
        yield known(Subject("repository", origin or "no remote"), origin, nowhere)
        return
    about = partial(Subject, "repository")
    yield Question(about(f"{repository} main"), partial(forge.branch, repository, "main"), reviewed)
    yield Question(
        about(f"{repository} main"),
        lambda: (forge.branch(repository, "main"), forge.variables(repository)),
        partial(passing, environments),
    )
    yield Question(about(f"{repository} {RECORD}"), partial(forge.branch, repository, RECORD), growing)
    yield Question(about(repository), partial(forge.variables, repository), partial(given, environments))
    for each in environments:
        yield Question(
            about(f"{repository} {each.name}"), partial(forge.place, repository, each.name), partial(place, each)
        )
    for name, judge in ((APPROVED, approved), (BOT, bot)):
        yield Question(about(f"{repository} {name}"), partial(forge.place, repository, name), judge)
    if review is not None:
        yield known(about(REVIEW), reviewer(review), partial(previewed, repository))


def nowhere(subject: Subject, _origin: str) -> Iterator[Diagnosis]:
    """A remote that is a folder, or another kind of server."""
    yield subject.unknown(
        "the remote is no repository on GitHub, so nobody can be asked how main is protected",
        "Protect main and `deployments` there by hand: main is reviewed, neither is ever forced or deleted.",
    )


def reviewed(subject: Subject, branch: Branch) -> Iterator[Diagnosis]:
    """What is on main is released, so nobody may write it alone."""
    if "pull_request" not in branch.types and not branch.is_protected:
        yield subject.problem(
            "whoever may push to main may release what nobody reviewed",
            "Add a ruleset for main: require a pull request, block force pushes, restrict deletions.",
        )
        return
    if CHECK not in branch.checks and not branch.is_protected:
        yield subject.warning(
            f"main takes changes whose check `{CHECK}` did not pass",
            f"Import {protection.MAIN} as a ruleset; docs/github.md says how.",
        )
    yield from _kept(subject, branch) or [subject.fine("main takes reviewed changes alone")]


def growing(subject: Subject, branch: Branch) -> Iterator[Diagnosis]:
    """The record of deployments is only ever added to."""
    yield from _kept(subject, branch) or [subject.fine("the record can only grow")]


def _kept(subject: Subject, branch: Branch) -> list[Diagnosis]:
    lacking = [] if branch.is_protected else [word for kind, word in _KEEPS.items() if kind not in branch.types]
    if not lacking:
        return []
    remedy = "Add a ruleset for it: block force pushes, restrict deletions."
    return [subject.warning(f"nothing forbids {' or '.join(lacking)} of this branch", remedy)]


def given(environments: Sequence[Environment], subject: Subject, variables: Mapping[str, str]) -> Iterator[Diagnosis]:
    """What jobs outside of GitHub's environments need."""
    wanted = [BUILD_ROLE, *(of(each.name) for each in environments for of in (preview_role, region))]
    yield from _complete(subject, wanted, variables)


def passing(
    environments: Sequence[Environment], subject: Subject, facts: tuple[Branch, Mapping[str, str]]
) -> Iterator[Diagnosis]:
    """Who writes to main although it asks for a pull request: without an App nobody, as a workflow's own token may not.

    Who is on the bypass list, GitHub tells to admins alone.
    """
    branch, variables = facts
    if "pull_request" not in branch.types and not branch.is_protected:
        return
    directly = " and ".join(each.name for each in environments if each.rollback == "commit")
    if not variables.get(APP):
        back = f", nor takes {directly} back" if directly else ""
        yield subject.warning(
            f"main asks for a pull request and there is no GitHub App, so no workflow bumps{back}",
            "Add an App as docs/github.md says; without one, bump by hand and write `rollback: pull-request`.",
        )
    elif directly:
        yield subject.unknown(
            f"whether the App may pass the rules of main: it takes {directly} back by a commit",
            "Run `releasectl init --app` with its App ID and import the ruleset, or write `rollback: pull-request`.",
        )


def place(environment: Environment, subject: Subject, found: Place | None) -> Iterator[Diagnosis]:
    """GitHub's environment of the same name: who may start its jobs, and what they are given."""
    if found is None:
        yield subject.warning(
            f"GitHub has no environment {environment.name}, or hides it from this token",
            "Run `releasectl bootstrap`; it prints the commands that make it.",
        )
        return
    if others := _others(found, environment.name):
        yield subject.warning(
            f"jobs of {others} may run in {environment.name}, and take the role that deploys",
            f"Limit the environment {environment.name} to the branch main, in the repository's settings.",
        )
    else:
        reviewers = "and asks reviewers" if "required_reviewers" in found.rules else "and asks no reviewers"
        yield subject.fine(f"its jobs run from main alone, {reviewers}")
    yield from _complete(subject, [DEPLOY_ROLE, REGION], found.variables)


def approved(subject: Subject, found: Place | None) -> Iterator[Diagnosis]:
    """Where the program of a pull request runs with a role that reads."""
    if found is None or "required_reviewers" not in found.rules:
        yield subject.warning(
            "nobody has to approve that the program of a pull request is run for its preview",
            f"Add the environment {APPROVED} with required reviewers; docs/github.md says how.",
        )
    else:
        yield subject.fine("a reviewer approves before the program of a pull request is run")


def bot(subject: Subject, found: Place | None) -> Iterator[Diagnosis]:
    """Where the App's key is, with which main can be written."""
    others = _others(found, BOT) if found else "any branch"
    if others:
        yield subject.warning(
            f"jobs of {others} may have the key of the App that may write to main",
            f"Add the environment {BOT}, limited to main and to tags of versions; docs/github.md says how.",
        )
    else:
        yield subject.fine("jobs of main and of versions alone have the App's key")


def _others(found: Place, name: str) -> str:
    """Whose jobs may use it besides, "" for nobody's."""
    if found.refs is None:
        return "any branch"
    meant = protection.places([name])[name]
    return ", ".join(ref for ref in found.refs if ref not in (*meant, PROTECTED))


def previewed(repository: str, subject: Subject, whose: str) -> Iterator[Diagnosis]:
    """A role trusts the preview of this very repository's main and no other."""
    if whose != repository:
        yield subject.warning(
            f"pull requests call the preview of {whose or 'nobody'}, so none is previewed",
            f"Run `releasectl init --github {repository}`.",
        )
    else:
        yield subject.fine("pull requests call the preview of this repository's main")


def _complete(subject: Subject, wanted: Sequence[str], variables: Mapping[str, str]) -> Iterator[Diagnosis]:
    lacking = [name for name in wanted if not variables.get(name)]
    if lacking:
        remedy = "Run `releasectl bootstrap`; it prints the commands that set them."
        yield subject.warning(f"the variables {', '.join(lacking)} are not set", remedy)
    else:
        yield subject.fine("the variables that workflows need are set")
