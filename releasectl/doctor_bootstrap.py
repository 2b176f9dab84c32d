"""Doctor, what bootstrap makes: GitHub's OIDC provider, and a role for each job that trusts it.

Comes in: which environments there are and which repository, and facts of the account. Goes out: questions, and
diagnoses. Without all this a person can still release with credentials of their own, so what lacks is a warning.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from releasectl.account import ISSUER, build_role, deploy_role, preview_role
from releasectl.doctor import Diagnosis, Question, Subject
from releasectl.doctor_facts import Account, Role
from releasectl.doctor_wanted import Wanted

REMEDY = "Run `releasectl bootstrap`, once in an account."
# repo:OWNER/NAME:..., or since July 2026 repo:OWNER@NUMBER/NAME@NUMBER:...
_SUBJECT = re.compile(r"repo:(?P<owner>[^@/:]+)(?P<ids>@\d+)?/(?P<name>[^@/:]+)(@\d+)?:(?P<job>.+)")


@dataclass(frozen=True)
class Trust:
    """Whether the account knows GitHub's tokens, and its roles, None where there is none of that name."""

    is_trusting: bool
    roles: Mapping[str, Role | None]


def questions(wanted: Wanted, account: Account, repository: str, *, is_first: bool) -> Iterator[Question]:
    """`repository` is owner/name, "" where that is not known."""
    names = [preview_role(wanted.environment), deploy_role(wanted.environment), *([build_role()] if is_first else [])]

    def ask() -> Trust:
        roles = {name: account.role(wanted.region, name) for name in names}
        return Trust(account.trusts(wanted.region, ISSUER), roles)

    yield Question(Subject("bootstrap", wanted.environment), ask, partial(ready, wanted, repository))


def ready(wanted: Wanted, repository: str, subject: Subject, found: Trust) -> Iterator[Diagnosis]:
    """What is not there at all, and then what is there and wrong."""
    lacking = [] if found.is_trusting else ["the OIDC provider of GitHub"]
    lacking += [f"the role {name}" for name, role in found.roles.items() if role is None]
    if lacking:
        yield subject.warning(f"workflows of GitHub cannot log in: the account lacks {', '.join(lacking)}", REMEDY)
    elif not wanted.boundary:
        yield subject.warning(
            f"{wanted.settings} names no boundary, without which the role that deploys may make no role for a service",
            "Run `releasectl bootstrap --write`, then merge what it wrote.",
        )
    for role in found.roles.values():
        if role is not None:
            yield from trusting(role, repository, subject)


def trusting(role: Role, repository: str, subject: Subject) -> Iterator[Diagnosis]:
    """A role that trusts one form of GitHub's subject alone refuses the jobs of a repository that has the other."""
    name = role.name
    found = [match for text in role.subjects if (match := _SUBJECT.fullmatch(text))]
    open_to = [text for text in role.subjects if "*" in text]
    others = sorted({named for match in found if (named := f"{match['owner']}/{match['name']}") != repository})
    if open_to:
        yield subject.problem(f"{name} can be taken by {', '.join(open_to)}", f"Name jobs in full. {REMEDY}")
    if repository and others:
        yield subject.problem(f"{name} trusts {', '.join(others)}, and this is {repository}", REMEDY)
    lacking = _lacking([bool(match["ids"]) for match in found])
    if lacking:
        yield subject.warning(f"{name} does not know {lacking}, which GitHub may send", REMEDY)
    if not (open_to or lacking or (repository and others)):
        yield subject.fine(f"{name} trusts jobs of {others[0] if others else repository} in both forms of their name")


def _lacking(forms: Sequence[bool]) -> str:
    if not any(forms):
        return "the name of its repository with numbers"
    return "" if not all(forms) else "the name of its repository without numbers"
