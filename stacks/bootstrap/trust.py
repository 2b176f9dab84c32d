"""Who may take which role: GitHub's jobs, by what their token says of repository, event and branch.

Comes in: the account and its repository. Goes out: trust policies. Each names GitHub's subject in both forms, the
classic one and the one with numbers that repositories have since July 2026, in full and never by a pattern: `repo:O/R*`
is every repository whose name begins so. A pull request of a fork gets no token at all.
"""

from releasectl.account import AUDIENCE, ISSUER, Account, Repository
from stacks.bootstrap.statements import Statement, document

MAIN = "refs/heads/main"
PREVIEW = ".github/workflows/preview.yml"  # the called workflow in which a pull request's preview runs


def deploy_trust(account: Account, stage: str) -> str:
    """Jobs of the GitHub environment `stage` on main. GitHub's own rules say who may start one."""
    claims = {"environment": stage, "ref": MAIN}
    return document(_trust(account, "Deploy", f"environment:{stage}", claims))


def preview_trust(account: Account) -> str:
    """Pull requests, as long as the job's steps are main's, and jobs on main such as the look for drift.

    Whoever may push a branch may change its workflows. So the steps of a preview are in a workflow that is called
    from main, and the token of a job in it says so; a copy of it on a branch is told by its name.
    """
    workflow = f"{account.repository.name}/{PREVIEW}@{MAIN}"
    return document(
        _trust(account, "PullRequest", "pull_request", {"job_workflow_ref": workflow}),
        _trust(account, "Main", f"ref:{MAIN}", {"ref": MAIN}),
    )


def build_trust(account: Account) -> str:
    """Jobs on main."""
    return document(_trust(account, "Build", f"ref:{MAIN}", {"ref": MAIN}))


def subjects(repository: Repository, suffix: str) -> list[str]:
    """What GitHub may call a job of the repository."""
    forms = [f"repo:{repository.name}:{suffix}"]
    if repository.id and repository.owner_id:
        owner, _, name = repository.name.partition("/")
        forms.append(f"repo:{owner}@{repository.owner_id}/{name}@{repository.id}:{suffix}")
    return forms


def _trust(account: Account, name: str, suffix: str, claims: dict[str, str]) -> Statement:
    known = {"repository_id": account.repository.id} if account.repository.id else {}
    said: dict[str, object] = {"aud": AUDIENCE, "sub": subjects(account.repository, suffix), **known, **claims}
    return {
        "Sid": name,
        "Effect": "Allow",
        "Principal": {"Federated": account.provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{ISSUER}:{claim}": value for claim, value in said.items()}},
    }
