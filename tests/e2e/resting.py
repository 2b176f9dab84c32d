"""What rest means after a crash: what main pins runs, all is on record, nothing of a dead engine is left."""

import json
from collections import Counter
from typing import Any

from sandbox.crash import SERVICE, processes
from tests.e2e.conftest import Story

RUNTIME = SERVICE.partition("::")[0]


def checkpoint(story: Story, environment: str = "staging") -> Any:
    path = story.sandbox.folder / f"state/.pulumi/stacks/release-controller/{environment}.json"
    return json.loads(path.read_text())["checkpoint"]["latest"]


def at_rest(story: Story, digest: str, environment: str = "staging") -> None:
    """It runs what main pins, everything is on record, and nothing of a dead engine is left."""
    status = story.status(environment)
    service = status["services"]["web"]
    assert (status["action"], service["pinned"], service["runs"]) == ("rest", digest, digest)
    phases = {one["id"]: one["phases"][-1]["phase"] for one in story.history(environment)}
    assert not {"applying", "verifying"} & set(phases.values())
    state = checkpoint(story, environment)
    assert not state.get("pending_operations")
    assert not list((story.sandbox.folder / "state/.pulumi/locks").rglob("*.json"))
    urns = Counter(resource["urn"] for resource in state["resources"])
    assert max(urns.values()) == 1
    mine = str(story.sandbox.clone / ".git/releasectl" / environment)
    assert [line for _, line in processes() if mine in line] == []
    known = {resource.get("id") for resource in state["resources"] if resource["type"] == RUNTIME}
    arns = [one["ServiceArn"] for one in story.client("apprunner").list_services()["ServiceSummaryList"]]
    assert {arn for arn in arns if f"-{environment}-web/" in arn} == known, "no service that no state knows"


def recovered(story: Story, digest: str, environment: str = "staging") -> str:
    """The next reconcile; what it said."""
    said = story.releasectl("reconcile", environment)
    assert said.code == 0, said.err
    at_rest(story, digest, environment)
    return said.err


def operations(story: Story, environment: str = "staging") -> list[str]:
    """What App Runner was asked to do with the service, oldest first."""
    client = story.client("apprunner")
    arn = story.last(environment)["outputs"]["services"]["web"]["service"]
    found = client.list_operations(ServiceArn=arn)["OperationSummaryList"]
    return [one["Type"] for one in reversed(found)]


def bumped(story: Story, version: str) -> str:
    """A new build is pinned in staging; its digest."""
    built = story.build_new(version)
    said = story.bump(built, "--version", version)
    assert said.code == 0, said.err
    return built.digest


def ended(story: Story) -> list[str]:
    """How the last two deployments ended, newest first."""
    return [one["ended"] for one in story.history(count=2)]
