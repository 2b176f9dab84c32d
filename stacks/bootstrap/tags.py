"""The tags of what bootstrap makes: another `managed-by` than the program's, by which its roles tell the two apart."""

from releasectl.account import MANAGER


def shared() -> dict[str, str]:
    """On what all environments share."""
    return {"managed-by": MANAGER}


def of(stage: str) -> dict[str, str]:
    """On what is an environment's."""
    return shared() | {"environment": stage}
