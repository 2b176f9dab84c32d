"""The sandbox's remote: the project as it lies there, in the sandbox's own account."""

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import remote
from sandbox.remote import git

PROJECT = Path(__file__).resolve().parents[2]
REAL = (
    *("--account", "123456789012", "--region", "us-east-1", "--runtime", "fargate", "--vpc", "vpc-0123abcd", "--yes"),
    *("--subnet", "subnet-0123abcd", "--subnet", "subnet-4567abcd", "--no-public-addresses"),
)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that somebody made their own, with a key for its secrets."""
    folder = tmp_path_factory.mktemp("theirs")
    remote.make(folder, PROJECT)
    done = subprocess.run(
        [str(Path(sys.executable).with_name("releasectl")), "init", *REAL],
        cwd=folder / "clone", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    settings = folder / "clone" / "Pulumi.production.yaml"
    settings.write_text(f"{settings.read_text()}secretsprovider: awskms://alias/theirs\n")
    return folder / "clone"


def test_a_project_of_a_real_account_runs_in_the_sandbox_as_its_own(theirs: Path, tmp_path: Path) -> None:
    remote.make(tmp_path, theirs)

    for environment in ("staging", "production"):
        text = (tmp_path / "clone" / f"Pulumi.{environment}.yaml").read_text()
        for line in (
            "  aws:region: eu-west-1\n", '  aws:allowedAccountIds: ["000000000000"]\n', "    vpc: vpc-00000001\n",
            "    subnets: [subnet-00000001, subnet-00000002]\n", "    public_addresses: true\n",
        ):  # fmt: skip
            assert line in text
        assert text.count("encryptionsalt") == 1
        assert "awskms" not in text
    assert git(tmp_path / "clone", "status", "--porcelain") == ""


def test_the_project_itself_is_not_touched(theirs: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in theirs.glob("*.yaml")}

    remote.make(tmp_path, theirs)

    assert {path: path.read_bytes() for path in theirs.glob("*.yaml")} == before
