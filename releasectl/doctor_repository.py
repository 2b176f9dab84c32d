"""Doctor, the repository on GitHub: main is reviewed, the record only grows, each environment has what its jobs need.

Comes in: the address of the remote, the environments, and facts of GitHub. Goes out: questions, and diagnoses. What a
token may not see is "could not ask", never fine.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from releasectl.doctor import Diagnosis, Question, Subject, known
from releasectl.doctor_facts import Branch, Forge, Place
from releasectl.pipeline import Environment
from releasectl.ready_account import BUILD_ROLE, DEPLOY_ROLE, REGION, preview_role, region

RECORD = "deployments"
# The older kind of protection forbids both by itself.
_KEEPS = {"non_fast_forward": "a forced push", "deletion": "a deletion"}
_ADDRESS = re.compile(r"(?:https://(?:[^@/]+@)?|ssh://git@|git@)(?P<host>[^:/]+)[:/](?P<name>[^/]+/[^/]+?)(?:\.git)?/?")


def repository_of(origin: str, server: str) -> str:
    """owner/name of a remote on this server of GitHub, "" for any other."""
    found = _ADDRESS.fullmatch(origin)
    host = server.rstrip("/").rpartition("/")[2]
    return found["name"] if found and found["host"] == host else ""


def questions(origin: str, repository: str, environments: Sequence[Environment], forge: Forge) -> Iterator[Question]:
    """Everything about a repository; nothing but its absence where it is not on GitHub."""
    if not repository:
        yield known(Subject("repository", origin or "no remote"), origin, nowhere)
        return
    about = partial(Subject, "repository")
    yield Question(
        about(f"{repository} main"), partial(forge.branch, repository, "main"), partial(reviewed, environments)
    )
    yield Question(about(f"{repository} {RECORD}"), partial(forge.branch, repository, RECORD), growing)
    yield Question(about(repository), partial(forge.variables, repository), partial(given, environments))
    for each in environments:
        yield Question(
            about(f"{repository} {each.name}"), partial(forge.place, repository, each.name), partial(place, each)
        )


def nowhere(subject: Subject, _origin: str) -> Iterator[Diagnosis]:
    """A remote that is a folder, or another kind of server."""
    yield subject.unknown(
        "the remote is no repository on GitHub, so nobody can be asked how main is protected",
        "Protect main and `deployments` there by hand: main is reviewed, neither is ever forced or deleted.",
    )


def reviewed(environments: Sequence[Environment], subject: Subject, branch: Branch) -> Iterator[Diagnosis]:
    """What is on main is released, so nobody may write it alone."""
    if "pull_request" not in branch.types and not branch.is_protected:
        yield subject.problem(
            "whoever may push to main may release what nobody reviewed",
            "Add a ruleset for main: require a pull request, block force pushes, restrict deletions.",
        )
        return
    yield from _kept(subject, branch) or [subject.fine("main takes reviewed changes alone")]
    directly = [each.name for each in environments if each.rollback == "commit"]
    if directly:
        yield subject.unknown(
            f"whether the controller may pass that rule: it takes {' and '.join(directly)} back by a commit to main",
            "Add the controller's app to the bypass list of the ruleset, or write `rollback: pull-request`.",
        )


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


def place(environment: Environment, subject: Subject, found: Place | None) -> Iterator[Diagnosis]:
    """GitHub's environment of the same name: who may start its jobs, and what they are given."""
    if found is None:
        yield subject.warning(
            f"GitHub has no environment {environment.name}, or hides it from this token",
            "Run `releasectl bootstrap`; it prints the commands that make it.",
        )
        return
    if not found.branches:
        yield subject.warning(
            f"jobs of any branch may run in {environment.name}, and take the role that deploys",
            f"Limit the environment {environment.name} to the branch main, in the repository's settings.",
        )
    else:
        reviewers = "and asks reviewers" if "required_reviewers" in found.rules else "and asks no reviewers"
        yield subject.fine(f"its jobs run from chosen branches alone, {reviewers}")
    yield from _complete(subject, [DEPLOY_ROLE, REGION], found.variables)


def _complete(subject: Subject, wanted: Sequence[str], variables: Mapping[str, str]) -> Iterator[Diagnosis]:
    lacking = [name for name in wanted if not variables.get(name)]
    if lacking:
        remedy = "Run `releasectl bootstrap`; it prints the commands that set them."
        yield subject.warning(f"the variables {', '.join(lacking)} are not set", remedy)
    else:
        yield subject.fine("the variables that workflows need are set")
