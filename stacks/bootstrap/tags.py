"""The tags of what bootstrap makes: another `managed-by` than the program's, by which its roles tell the two apart.

Comes in: the account, an environment. Goes out: tags. They say for which repository the account is ready, so that a run
that was cut off before it could export anything is remembered, too.
"""

from releasectl.account import MANAGER, Account


def shared(account: Account) -> dict[str, str]:
    """On what all environments share."""
    repository = account.repository
    known = {"repository": repository.name, "repository-id": repository.id, "repository-owner-id": repository.owner_id}
    return {"managed-by": MANAGER} | {key: value for key, value in known.items() if value}


def of(account: Account, stage: str) -> dict[str, str]:
    """On what is an environment's."""
    return shared(account) | {"environment": stage}
