"""Who may take which role: GitHub's jobs, by what their token says of repository, event and branch.

Comes in: the account and its repository. Goes out: trust policies. Each names GitHub's subject in both forms, the
classic one and the one with numbers that repositories have since July 2026, in full and never by a pattern: `repo:O/R*`
is every repository whose name begins so. A pull request of a fork gets no token at all.
"""

from releasectl.account import APPROVED, AUDIENCE, BOT, ISSUER, Account, Repository
from stacks.bootstrap.statements import Statement, document

MAIN = "refs/heads/main"
PREVIEW = ".github/workflows/preview.yml"  # the called workflow in which a pull request's preview runs


def deploy_trust(account: Account, stage: str) -> str:
    """Jobs of the GitHub environment `stage` on main. GitHub's own rules say who may start one."""
    claims = {"environment": stage, "ref": MAIN}
    return document(_trust(account, "Deploy", _environment(stage), **claims))


def preview_trust(account: Account) -> str:
    """Pull requests, as long as the job's steps are main's, and jobs on main: a preview that a person starts.

    Whoever may push a branch may change its workflows. So the steps of a preview are in a workflow that is called
    from main, and the token of a job in it says so; a copy of it on a branch is told by its name. Where a person had
    to approve it, its job is in an environment of GitHub's, which its subject then says and nothing else.
    """
    workflow = f"{account.repository.name}/{PREVIEW}@{MAIN}"
    approved = _environment(APPROVED)
    return document(
        _trust(account, "PullRequest", "pull_request", approved, job_workflow_ref=workflow),
        _trust(account, "Main", f"ref:{MAIN}", approved, ref=MAIN),
    )


def build_trust(account: Account) -> str:
    """Jobs on main: what builds is in no environment of GitHub's, what bumps is in the bot's."""
    return document(_trust(account, "Build", f"ref:{MAIN}", _environment(BOT), ref=MAIN))


def subjects(repository: Repository, *suffixes: str) -> list[str]:
    """What GitHub may call a job of the repository, if it is one of these.

    With an environment in the job, the subject names that and neither event nor branch:
    https://docs.github.com/en/actions/reference/security/oidc
    """
    forms = [f"repo:{repository.name}"]
    if repository.id and repository.owner_id:
        owner, _, name = repository.name.partition("/")
        forms.append(f"repo:{owner}@{repository.owner_id}/{name}@{repository.id}")
    return [f"{form}:{suffix}" for suffix in suffixes for form in forms]


def _environment(name: str) -> str:
    return f"environment:{name}"


def _trust(account: Account, name: str, *suffixes: str, **claims: str) -> Statement:
    known = {"repository_id": account.repository.id} if account.repository.id else {}
    said: dict[str, object] = {"aud": AUDIENCE, "sub": subjects(account.repository, *suffixes), **known, **claims}
    return {
        "Sid": name,
        "Effect": "Allow",
        "Principal": {"Federated": account.provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{ISSUER}:{claim}": value for claim, value in said.items()}},
    }
