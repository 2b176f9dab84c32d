"""Protection: the rules of the repository on GitHub, in the form that GitHub imports.

Comes in: a team's ruleset, the App that may commit to main, names of environments. Goes out: the files of the rulesets,
and whose jobs may run in which of GitHub's environments. main takes reviewed changes alone whose checks passed; the
record of deployments can only grow; admins alone tag a version, since a tag's job may have the App's key. Pure: GitHub
is asked elsewhere.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from shlex import quote
from typing import Any

from releasectl.account import APPROVED, BOT

FOLDER = ".github/rulesets"
MAIN, RECORD, VERSIONS = f"{FOLDER}/main.json", f"{FOLDER}/deployments.json", f"{FOLDER}/versions.json"
PATHS = (MAIN, RECORD, VERSIONS)
ONLY = ".github/environments/chosen-refs.json"  # an environment is for the refs that it names
CHECK = "checks"  # the job of checks.yml that waits for all the others
Actor = Mapping[str, Any]
_APP = "Integration"  # GitHub's word for an App
_ACTIONS = 15368  # GitHub Actions on github.com: nobody else may say that the check passed
_KEPT = ({"type": "deletion"}, {"type": "non_fast_forward"})
_ADMINS: Actor = {"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}
# No approval is asked for beyond the owners': a bump of the first environment, which has none, is merged by its checks.
_REVIEWED = {
    "required_approving_review_count": 0,
    "dismiss_stale_reviews_on_push": True,
    "require_code_owner_review": True,
    "require_last_push_approval": False,  # it would ask somebody else to approve what the bot pushed
    "required_review_thread_resolution": False,
}
_CHECKED = {
    "strict_required_status_checks_policy": False,
    "do_not_enforce_on_create": True,
    "required_status_checks": [{"context": CHECK, "integration_id": _ACTIONS}],
}


def places(environments: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """GitHub's environments, and whose jobs may run in each; a pull request's ref is that of its merge."""
    return {
        **dict.fromkeys(environments, ("branch:main",)),
        BOT: ("branch:main", "tag:v*"),
        APPROVED: ("branch:main", "branch:refs/pull/*/merge"),
    }


def making(repository: str, environment: str, refs: Iterable[str]) -> Iterator[str]:
    """The commands that make an environment and limit it. GitHub opens one to every branch unless it is told not to.

    https://docs.github.com/en/rest/deployments/branch-policies
    """
    path = f"repos/{repository}/environments/{environment}"
    yield f"gh api --method PUT {path} --input {ONLY}"
    for ref in refs:
        kind, _, name = ref.partition(":")
        yield f"gh api --method POST {path}/deployment-branch-policies -f {quote(f'name={name}')} -f type={kind}"


def rulesets() -> dict[str, bytes]:
    """All files by their paths, with nobody who may pass the rules of main.

    https://docs.github.com/en/rest/repos/rules#create-a-repository-ruleset
    """
    asked = (
        {"type": "pull_request", "parameters": _REVIEWED},
        {"type": "required_status_checks", "parameters": _CHECKED},
    )
    tagging = ({"type": "creation"}, {"type": "update"})
    return {
        MAIN: _file("main: reviewed and checked", "branch", "~DEFAULT_BRANCH", (*_KEPT, *asked)),
        RECORD: _file("deployments: only ever added to", "branch", "refs/heads/deployments", _KEPT),
        VERSIONS: let_pass(
            _file("versions: tagged by admins, and never moved", "tag", "refs/tags/v*", (*tagging, *_KEPT)), _ADMINS
        ),
    }


def app(number: str) -> Actor:
    """A GitHub App, by its App ID."""
    return {"actor_id": int(number), "actor_type": _APP, "bypass_mode": "always"}


def app_of(raw: bytes) -> str:
    """The App that a ruleset lets pass, "" for none or for a file that is no ruleset."""
    return next((str(one["actor_id"]) for one in _passing(raw) or () if _is_app(one)), "")


def let_pass(raw: bytes, *actors: Actor) -> bytes:
    """The ruleset with these in the place of every App; all else stays as a team has it. Raises ValueError."""
    others = _passing(raw)
    if others is None:
        raise ValueError("is no ruleset of GitHub")
    now = [*(one for one in others if not _is_app(one)), *actors]
    return raw if now == others else _written(json.loads(raw) | {"bypass_actors": now})


def _passing(raw: bytes) -> list[Actor] | None:
    """Who may pass, None for what is no ruleset."""
    try:
        return [dict(one) for one in json.loads(raw)["bypass_actors"]]
    except (ValueError, KeyError, TypeError):
        return None


def _is_app(actor: Actor) -> bool:
    return actor.get("actor_type") == _APP and "actor_id" in actor


def _file(name: str, target: str, ref: str, rules: tuple[Mapping[str, object], ...]) -> bytes:
    return _written(
        {
            "name": name,
            "target": target,
            "enforcement": "active",
            "conditions": {"ref_name": {"include": [ref], "exclude": []}},
            "rules": list(rules),
            "bypass_actors": [],
        }
    )


def _written(ruleset: Mapping[str, object]) -> bytes:
    return (json.dumps(ruleset, indent=2) + "\n").encode()
