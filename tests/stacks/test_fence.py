"""The boundary of the settings goes onto every role that an environment makes, and onto nothing else."""

from pathlib import Path

import pulumi
import pytest

from stacks.bootstrap.role_grants import ATTACHED, PASSED
from tests.stacks.recording_engine import PROJECT_ROOT, Recording, record
from tests.stacks.texts import DIGEST, release_text, settings_text

BOUNDARY = "arn:aws:iam::123456789012:policy/releasectl-staging-boundary"


def recorded(root: Path, boundary: str) -> Recording:
    """An environment with one service."""
    settings = settings_text({"web": ""}).replace(
        "config:\n", f'config:\n  release-controller:boundary: "{boundary}"\n'
    )
    return record(root, release=release_text({"web": DIGEST}), settings_file=settings)


def test_every_role_gets_it_and_nothing_else_does(tmp_path: Path) -> None:
    registered = recorded(tmp_path, BOUNDARY).registrations
    bounded = {one.key: one.inputs.get("permissionsBoundary") for one in registered if one.key[0] == "Role"}

    assert bounded
    assert set(bounded.values()) == {BOUNDARY}
    assert [one.key for one in registered if "permissionsBoundary" in one.inputs and one.key[0] != "Role"] == []


def test_without_one_in_the_settings_roles_have_none(tmp_path: Path) -> None:
    roles = [one for one in recorded(tmp_path, "").registrations if one.key[0] == "Role"]

    assert roles
    assert all("permissionsBoundary" not in role.inputs for role in roles)


@pytest.mark.parametrize("wrong", ["releasectl-staging-boundary", "arn:aws:iam::123456789012:role/x"])
def test_what_is_no_policy_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(pulumi.RunError, match="which is no ARN of an IAM policy"):
        recorded(tmp_path, wrong)


def test_what_the_program_attaches_and_passes_is_what_the_role_that_deploys_may() -> None:
    """By their names in the code: a purpose or a policy of AWS's that is new there has to be allowed here."""
    code = "".join(path.read_text() for path in (PROJECT_ROOT / "stacks/runtimes").glob("*.py"))
    code += (PROJECT_ROOT / "stacks/roles.py").read_text()

    assert all(f'"{purpose}"' in code for purpose in PASSED)
    assert code.count("arn:aws:iam::aws:policy/") == len(ATTACHED)
    assert all(f"arn:aws:iam::aws:policy/{name}" in code for name in ATTACHED)
