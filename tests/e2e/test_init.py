"""`releasectl init` in a clone, as a person and as a script run it: a diff, a yes, files; or findings, and nothing."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import remote
from sandbox.hand import Said
from sandbox.remote import git
from tests.e2e.conftest import PROJECT

pytestmark = pytest.mark.nightly

OPTIONS = (
    *("--service", "shop", "--account", "123456789012", "--region", "us-east-1", "--runtime", "fargate"),
    *("--vpc", "vpc-0123abcd", "--subnet", "subnet-0123abcd", "--subnet", "subnet-4567abcd"),
    *("--email", "ops@example.com", "--repository", "acme/shop"),
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this project; no AWS is needed for it."""
    folder = tmp_path_factory.mktemp("init")
    remote.make(folder, PROJECT)
    return folder / "clone"


@pytest.fixture
def clone(project: Path) -> Iterator[Path]:
    """The same, put back after each test."""
    yield project
    git(project, "reset", "--quiet", "--hard", "origin/main")
    git(project, "clean", "--quiet", "--force", "-d")


def init(clone: Path, *arguments: str) -> Said:
    """As a script: standard input is no terminal."""
    argv = [str(Path(sys.executable).with_name("releasectl")), "init", *arguments]
    done = subprocess.run(argv, cwd=clone, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return Said(done.returncode, done.stdout, done.stderr)


def changed(clone: Path) -> list[str]:
    tracked = git(clone, "diff", "--name-only", "HEAD").splitlines()
    return tracked + git(clone, "ls-files", "--others", "--exclude-standard").splitlines()


def diff(clone: Path, path: str) -> list[str]:
    lines = git(clone, "diff", "--unified=0", "--", path).splitlines()
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def test_answers_are_shown_and_written_after_a_yes(clone: Path) -> None:
    shown = init(clone, *OPTIONS)
    assert (shown.code, changed(clone)) == (2, [])
    assert "+    shop:" in shown.out
    assert "Nothing was changed. Next: the same command with --yes" in shown.err

    done = init(clone, *OPTIONS, "--yes")

    assert done.code == 0, done.out + done.err
    assert done.out == shown.out
    assert "Next: releasectl doctor" in done.err
    assert diff(clone, "pipeline.yaml") == [
        "-  web:",
        '-    repository: ""          # owner/name on GitHub; "" is the repository that holds this file',
        "+  shop:",
        '+    repository: "acme/shop"          # owner/name on GitHub; "" is the repository that holds this file',
    ]
    assert diff(clone, "releases/production.yaml") == ["-  web:", "+  shop:"]


def test_the_second_run_changes_nothing_and_one_other_answer_changes_that(clone: Path) -> None:
    assert init(clone, *OPTIONS, "--yes").code == 0
    git(clone, "commit", "--quiet", "--all", "--message", "Ours")

    again = init(clone, *OPTIONS, "--yes")
    assert (again.code, changed(clone)) == (0, [])
    assert "nothing to do" in again.out

    other = init(clone, "--environment", "production", "--account", "210987654321", "--yes", "--json")
    assert other.code == 0, other.err
    assert other.json["files"] == changed(clone) == ["Pulumi.production.yaml"]
    assert diff(clone, "Pulumi.production.yaml") == [
        '-  aws:allowedAccountIds: ["123456789012"]',
        '+  aws:allowedAccountIds: ["210987654321"]',
    ]


def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_touched(clone: Path) -> None:
    said = init(
        clone, "--service", "Shop", "--account", "1234", "--region", "Ireland", "--runtime", "fargat",
        "--email", "ops", "--yes", "--json",
    )  # fmt: skip

    assert (said.code, changed(clone)) == (2, [])
    told = " ".join(finding["message"] for finding in said.json["findings"])
    for words in (
        "`Shop` is no name",
        "`1234`",
        "`Ireland`, which is no AWS region",
        "did you mean `fargate`",
        "`ops`",
    ):
        assert words in told
    assert len({(one["message"], one["where"]) for one in said.json["findings"]}) == len(said.json["findings"])


def test_a_network_that_the_runtime_needs_is_asked_for_by_its_key(clone: Path) -> None:
    said = init(clone, "--runtime", "fargate", "--yes")

    assert (said.code, changed(clone)) == (2, [])
    assert "`vpc` and `subnets`" in said.out
    assert "Nothing was changed." in said.err


def test_a_service_that_exists_keeps_its_name(clone: Path) -> None:
    path = clone / "releases/staging.yaml"
    path.write_text(path.read_text().replace('program: ""', f'program: "{"a" * 40}"'))
    git(clone, "commit", "--quiet", "--all", "--message", "Created")

    said = init(clone, "--service", "shop", "--yes")

    assert (said.code, changed(clone)) == (2, [])
    assert "`web` exists in staging already, so it cannot become `shop`" in said.out


def test_an_unknown_environment_is_told(clone: Path) -> None:
    said = init(clone, "--environment", "stagin", "--region", "us-east-1")

    assert said.code == 2
    assert "did you mean `staging`?" in said.err


def test_a_script_without_an_answer_is_told_to_give_one(clone: Path) -> None:
    said = init(clone)

    assert said.code == 2
    assert "Give an answer, such as --region eu-west-1" in said.err


# ---- on a terminal ----


def terminal(clone: Path, *answers: str) -> tuple[int, str]:
    """As a person: each line is typed when the next question stands there."""
    leader, follower = pty.openpty()
    argv = [str(Path(sys.executable).with_name("releasectl")), "init"]
    running = subprocess.Popen(argv, cwd=clone, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    os.write(leader, "".join(f"{answer}\n" for answer in answers).encode())
    said = b""
    while True:
        try:
            more = os.read(leader, 65536)
        except OSError:  # Linux says by it that the other end is closed
            break
        if not more:
            break
        said += more
    os.close(leader)
    return running.wait(), said.decode().replace("\r\n", "\n")


def test_a_person_is_asked_with_what_the_files_say_and_may_say_no(clone: Path) -> None:
    code, said = terminal(
        clone,
        *("shop", "acme/shop", "acme/releases", "@acme/ops", "111111111111", "222222222222", "us-east-1", ""),
        *("ops@a.example", "n"),
    )

    assert (code, changed(clone)) == (1, [])
    for question in ("Your services [web]", "AWS account of staging, 12 digits", "AWS region [eu-west-1]"):
        assert question in said
    assert "Nothing was changed." in said


def test_a_person_who_says_yes_has_a_project_of_their_own(clone: Path) -> None:
    code, said = terminal(
        clone,
        *("shop", "", "acme/releases", "@acme/ops", "111111111111", "222222222222", "", "ecs-express"),
        *("ops@a.example", "y"),
    )

    assert code == 0, said
    assert "acme/releases/.github/workflows/preview.yml@main" in diff(clone, ".github/workflows/review.yml")[1]
    assert "+* @acme/ops" in diff(clone, ".github/CODEOWNERS")
    assert "releasectl image shop" in "".join(diff(clone, ".github/workflows/build.yml"))
    assert diff(clone, "Pulumi.staging.yaml").count('+  aws:allowedAccountIds: ["111111111111"]') == 1
    assert diff(clone, "Pulumi.production.yaml").count('+  aws:allowedAccountIds: ["222222222222"]') == 1
    assert "+      runtime: ecs-express" in diff(clone, "Pulumi.staging.yaml")


def test_enter_everywhere_changes_nothing(clone: Path) -> None:
    assert init(clone, *OPTIONS, "--yes").code == 0
    git(clone, "commit", "--quiet", "--all", "--message", "Ours")

    code, said = terminal(clone, *[""] * 12)

    assert (code, changed(clone)) == (0, []), said
    assert "nothing to do" in said
