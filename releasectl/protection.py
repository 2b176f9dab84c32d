"""Protection: the rules of the repository on GitHub, in the form that GitHub imports.

Comes in: the number of the App that may commit to main, "" for none. Goes out: the files of the rulesets. main takes
reviewed changes alone whose checks passed; the record of deployments can only grow; admins alone tag a version, since a
tag's job may have the App's key. Pure: GitHub is asked elsewhere.
"""

import json
from collections.abc import Iterable, Mapping

FOLDER = ".github/rulesets"
MAIN, RECORD, VERSIONS = f"{FOLDER}/main.json", f"{FOLDER}/deployments.json", f"{FOLDER}/versions.json"
PATHS = (MAIN, RECORD, VERSIONS)
CHECK = "checks"  # the job of checks.yml that waits for all the others
_ACTIONS = 15368  # GitHub Actions on github.com: nobody else may say that the check passed
_KEPT = ({"type": "deletion"}, {"type": "non_fast_forward"})
_ADMINS = {"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}
# No approval is asked for beyond the owners': a bump of the first environment, which has none, is merged by its checks.
_REVIEWED = {
    "required_approving_review_count": 0,
    "dismiss_stale_reviews_on_push": True,
    "require_code_owner_review": True,
    "require_last_push_approval": True,
    "required_review_thread_resolution": False,
}
_CHECKED = {
    "strict_required_status_checks_policy": False,
    "do_not_enforce_on_create": True,
    "required_status_checks": [{"context": CHECK, "integration_id": _ACTIONS}],
}


def rulesets(app: str) -> dict[str, bytes]:
    """All files by their paths. `app` is the number of a GitHub App that may pass the rules of main.

    https://docs.github.com/en/rest/repos/rules#create-a-repository-ruleset
    """
    passing = [{"actor_id": int(app), "actor_type": "Integration", "bypass_mode": "always"}] if app else []
    asked = (
        {"type": "pull_request", "parameters": _REVIEWED},
        {"type": "required_status_checks", "parameters": _CHECKED},
    )
    return {
        MAIN: _file("main: reviewed and checked", "branch", "~DEFAULT_BRANCH", (*_KEPT, *asked), passing=passing),
        RECORD: _file("deployments: only ever added to", "branch", "refs/heads/deployments", _KEPT, passing=()),
        VERSIONS: _file(
            "versions: tagged by admins, and never moved", "tag", "refs/tags/v*",
            ({"type": "creation"}, {"type": "update"}, *_KEPT), passing=[_ADMINS],
        ),
    }  # fmt: skip


def app_of(raw: bytes) -> str:
    """The App that a ruleset lets pass, "" for none or for a file that is no ruleset."""
    try:
        actors = json.loads(raw)["bypass_actors"]
        return next((str(one["actor_id"]) for one in actors if one["actor_type"] == "Integration"), "")
    except (ValueError, KeyError, TypeError):
        return ""


def _file(
    name: str, target: str, ref: str, rules: tuple[Mapping[str, object], ...], *, passing: Iterable[object]
) -> bytes:  # fmt: skip
    ruleset = {
        "name": name,
        "target": target,
        "enforcement": "active",
        "conditions": {"ref_name": {"include": [ref], "exclude": []}},
        "rules": list(rules),
        "bypass_actors": list(passing),
    }
    return (json.dumps(ruleset, indent=2) + "\n").encode()
