"""`releasectl doctor` in a sandbox: what a newcomer sees, before and after `init`, and where nobody can be asked."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from sandbox import process
from tests.contract.answers import Answer, serving
from tests.contract.registry import Between
from tests.e2e.conftest import PROJECT, Said, Story, diagnosed, recorded

OURS = (
    *("--account", "000000000000", "--runtime", "fargate", "--vpc", "vpc-00000001", "--public-addresses"),
    *("--subnet", "subnet-00000001", "--subnet", "subnet-00000002", "--email", "ops@example.com", "--yes"),
)
REFUSAL = {"__type": "SubscriptionRequiredException", "message": "needs a subscription for the service"}


@pytest.fixture(autouse=True)
def work_tree(story: Story) -> None:
    """Each test begins with the files of main."""
    story.pull()


def looked(said: Said) -> dict[tuple[str, str], list[str]]:
    """By rule and severity: what was said."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in said.json["findings"]:
        found.setdefault((one["rule"], one["severity"]), []).append(one["message"])
    return found


@pytest.mark.usefixtures("unchanged")
def test_a_newcomer_sees_what_lacks_and_changes_nothing_by_looking(story: Story) -> None:
    said = story.releasectl("doctor", "--json")

    found = looked(said)
    assert (said.code, said.json["ok"]) == (0, True), said.err
    assert "App Runner was never used here" in found["runtime", "warning"][0]
    assert "would let any other account be changed" in found["credentials", "warning"][0]
    assert "names nobody who gets alerts" in found["alerts", "warning"][0]
    assert "workflows of GitHub cannot log in" in found["bootstrap", "warning"][0]
    assert found["toolchain", "fine"][0].startswith("3.")
    assert found["files", "fine"]
    assert found["repository", "could not ask"]


@pytest.mark.usefixtures("unchanged")
def test_after_init_the_account_the_network_and_the_alerts_are_fine(story: Story) -> None:
    made = story.releasectl("init", "--environment", "production", *OURS)
    assert made.code == 0, made.out + made.err

    said = story.releasectl("doctor", "production", "--json")

    found = looked(said)
    assert said.code == 0, said.err
    assert "which is the one of Pulumi.production.yaml" in found["credentials", "fine"][0]
    assert len(found["network", "fine"]) == 2
    assert found["alerts", "fine"] == ["alerts go out by email"]
    assert "plain HTTP" in found["domain", "warning"][0]
    assert all("staging" not in one["where"] for one in said.json["findings"]), "one environment was asked for"


@pytest.mark.usefixtures("unchanged")
def test_another_account_is_a_problem_and_ends_with_one(story: Story) -> None:
    assert story.releasectl("init", "--account", "111111111111", "--yes").code == 0

    said = story.releasectl("doctor")

    assert said.code == 1
    assert said.out.startswith("problem        credentials, ")
    assert "Log in to 111111111111" in said.out


@pytest.mark.usefixtures("unchanged")
def test_a_broken_file_is_told_and_hides_nothing_else(story: Story) -> None:
    settings = story.sandbox.clone / "Pulumi.production.yaml"
    settings.write_text(settings.read_text().replace("cpu: 1024", "cpu: 1000"))

    said = story.releasectl("doctor", "--json")

    found = looked(said)
    assert said.code == 1
    assert "`cpu` is `1000`" in found["files", "problem"][0] or "cpu" in found["files", "problem"][0]
    assert found["credentials", "warning"]


@pytest.mark.usefixtures("unchanged")
def test_without_credentials_there_is_a_problem_and_the_rest_could_not_be_asked(story: Story) -> None:
    said = story.releasectl("doctor", "--json", AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)

    assert said.code == 1
    assert looked(said)["credentials", "problem"]
    diagnosed(said, "AwsDenied", "region")
    assert looked(said)["toolchain", "fine"], "what needs no account was looked at"


@pytest.mark.usefixtures("unchanged")
def test_github_that_cannot_be_asked_is_told_with_what_helps(story: Story) -> None:
    with remote(story, "https://token@github.example/acme/shop.git"), serving(lambda _asked: Answer(403)) as github:
        said = story.releasectl(
            "doctor", "staging", "--json", RELEASECTL_PATIENCE="1", GITHUB_TOKEN="t",
            GITHUB_SERVER_URL="https://github.example", GITHUB_API_URL=github.url,
        )  # fmt: skip

    one = diagnosed(said, "RepositoryNotTold", "repository")
    assert one["where"].startswith("acme/shop")
    assert "Set GITHUB_TOKEN" in one["remedy"]
    assert "token@" not in said.out


def test_an_account_that_app_runner_refuses_is_told_with_the_one_line_to_change(story: Story) -> None:
    built = story.build_new("1.0.0")
    assert story.bump(built).code == 0
    with refusing(story) as provider:
        said = story.releasectl("reconcile", "staging", "--no-wait", "--json", PULUMI_DEBUG_PROVIDERS=provider)

    assert said.code != 0, said.out
    recorded(story.last(), "AppRunnerRefuses", "this account seems to be refused")
    assert "Write `runtime: ecs-express` for web" in story.last()["phases"][-1]["message"]


# ---- a hand ----


@contextmanager
def remote(story: Story, address: str) -> Iterator[None]:
    """A remote at another address; git still talks to the one that is there."""
    config = story.sandbox.clone / ".git/config"
    before = config.read_text()
    there = next(line for line in before.splitlines() if line.strip().startswith("url = ")).partition("= ")[2]
    instead = f'[url "{there}"]\n\tinsteadOf = {address}\n'
    config.write_text(before.replace(f"url = {there}", f"url = {address}") + instead)
    yield
    config.write_text(before)


@contextmanager
def refusing(story: Story) -> Iterator[str]:
    """A provider for which App Runner takes no new customer; what leads the engine to it."""
    app_runner = story.sandbox.variables["AWS_ENDPOINT_URL_APPRUNNER"]
    with httpx.Client(base_url=app_runner, trust_env=False, timeout=30) as client:
        between = Between(client)
        body = json.dumps(REFUSAL).encode()
        between.answers["AppRunner.CreateService"] = Answer(400, body, {"Content-Type": "application/x-amz-json-1.0"})
        with serving(between.answer) as refuses:
            running = process.start(
                "provider",
                [sys.executable, "-m", "sandbox.provider"],
                log=story.sandbox.folder / "another-provider.log",
                environment={
                    **story.sandbox.environment, "PYTHONPATH": str(PROJECT), "PATH": os.environ["PATH"],
                    "AWS_ENDPOINT_URL_APPRUNNER": refuses.url,
                },
                ready=process.ready_line,
            )  # fmt: skip
            try:
                yield f"aws:{running.ready['port']}"
            finally:
                running.stop()
