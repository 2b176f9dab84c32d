"""The whole life of a service on each ECS runtime, by the same commands as on App Runner; and a move between two.

Fargate's is played every time, Express Mode's at night: both are one code path of the controller, and each takes
minutes.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox import place
from tests.e2e.conftest import PROJECT, Story

pytestmark = pytest.mark.nightly

NAME = "release-controller-staging-web"
CLUSTER = "release-controller-staging"
SIZE = "      cpu: {cpu}\n      memory: {memory}\n"


def network(story: Story) -> str:
    """The account's default network, as a line of settings."""
    ec2 = story.client("ec2")
    [vpc] = ec2.describe_vpcs(Filters=[{"Name": "isDefault", "Values": ["true"]}])["Vpcs"]
    found = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    subnets = ", ".join(one["SubnetId"] for one in found[:2])
    return f"  release-controller:network: {{vpc: {vpc['VpcId']}, subnets: [{subnets}], public_addresses: true}}\n"


def settle(
    story: Story, runtime: str, more: str = "", environments: tuple[str, ...] = ("staging", "production")
) -> None:
    """What a team does to choose a runtime: one word, and for Fargate its network."""
    changes = {}
    for name in environments:
        settings = story.read(f"Pulumi.{name}.yaml").decode()
        settings = re.sub(r"^      (leaving|domain): .*\n", "", settings, flags=re.MULTILINE)
        settings = re.sub(r"runtime: \S+", f"runtime: {runtime}{more}", settings)
        if "concurrency" in settings and runtime != "app-runner":
            settings = re.sub(r", concurrency: \d+", "", settings)
        if "release-controller:network" not in settings:
            settings = settings.replace(
                "  release-controller:services:\n", network(story) + "  release-controller:services:\n"
            )
        changes[f"Pulumi.{name}.yaml"] = settings.encode()
    story.commit(changes, f"Run on {runtime}")


@pytest.fixture(scope="module", params=["fargate", "ecs-express"])
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A sandbox whose environments are on the runtime, with nothing released yet."""
    sandbox = place.up(tmp_path_factory.mktemp("sandbox"), PROJECT)
    try:
        story = Story(sandbox)
        settle(story, request.param)
        for environment in ("staging", "production"):
            assert story.releasectl("bump", "--program", "--environment", environment).code == 0
            made = story.releasectl("reconcile", environment)
            assert made.code == 0, made.err
        yield story
    finally:
        place.down(sandbox)


def planned(story: Story, environment: str = "staging") -> Any:
    """What the files as they are would change."""
    story.pull()
    said = story.releasectl("preview", environment, "--json")
    assert said.code == 0, said.err
    return said.json["counts"]


def serving(story: Story, environment: str = "staging") -> Any:
    """What the service itself says it is, asked as a user would."""
    url = story.service(environment)["url"]
    return httpx.get(f"{url}/version", verify=story.sandbox.tls(), trust_env=False).json()


def test_a_first_release_is_made_proven_and_leaves_nothing_to_change(story: Story) -> None:
    released = story.release_new("1.0.0")

    assert story.service()["runs"] == released
    assert serving(story)["digest"] == released
    assert planned(story) == {}
    assert story.releasectl("drift", "staging", "--json").json["release"] == []


def test_a_further_release_changes_the_image_and_nothing_else(story: Story) -> None:
    before = story.service()["url"]
    released = story.release_new("1.1.0")

    assert serving(story)["digest"] == released
    assert story.service()["url"] == before
    assert set(story.last()["plan"]["counts"]) <= {"update", "replace"}
    assert planned(story) == {}


def test_what_staging_proved_is_promoted_to_a_service_of_its_own(story: Story) -> None:
    promoted = story.releasectl("promote", "production", "--json")
    assert promoted.code == 0, promoted.err
    story.merge(promoted.json["branch"])
    said = story.releasectl("reconcile", "production")

    assert said.code == 0, said.err
    assert story.service("production")["runs"] == story.service()["runs"]
    assert serving(story, "production")["digest"] == story.service()["runs"]
    assert story.service("production")["url"] != story.service()["url"]


def test_a_release_that_does_not_get_well_is_taken_back_and_rejected(story: Story) -> None:
    good = story.service()["runs"]
    bad = story.build_new("1.2.0", WEB_FAIL="health")
    assert story.bump(bad).code == 0

    said = story.releasectl("reconcile", "staging")

    back, failed = story.history(count=2)
    assert said.code == 1, said.err
    assert failed["phases"][-1]["phase"] == "failed"
    assert "ROLLBACK_SUCCESSFUL" in failed["phases"][-1]["message"]
    assert failed["serving"] == {"web": good}
    assert "WEB_FAIL" in "".join(failed["log"]["web"]) or "503" in "".join(failed["log"]["web"])
    assert (back["phases"][-1]["phase"], back["kind"]) == ("live", "rollback")
    assert serving(story)["digest"] == good
    assert list(story.files("releases/rejected")) == [f"staging-web-{bad.digest[7:19]}.yaml"]
    assert planned(story) == {}


def test_an_image_that_somebody_put_there_by_hand_is_found_and_taken_back(story: Story) -> None:
    pinned = story.service()["runs"]
    other = story.build_new("1.3.0").digest
    run_by_hand(story, other)

    found = story.releasectl("drift", "staging", "--json")
    assert found.code == 1, found.err
    told = [one["sentence"] for one in found.json["release"]]
    assert any(other in sentence and pinned in sentence for sentence in told), told
    mended = story.releasectl("drift", "staging", "--remediate", "--reason", "nobody releases by hand")

    assert mended.code == 0, mended.err
    assert serving(story)["digest"] == pinned
    assert planned(story) == {}


def run_by_hand(story: Story, digest: str) -> None:
    """As the console does it; returns when it serves."""
    ecs = story.client("ecs")
    image = f"{story.service()['repository']}@{digest}"
    if story.last()["outputs"]["services"]["web"]["runtime"] == "fargate":
        known = ecs.describe_task_definition(taskDefinition=NAME)["taskDefinition"]
        [container] = known["containerDefinitions"]
        kept = ("family", "networkMode", "cpu", "memory", "executionRoleArn", "taskRoleArn", "requiresCompatibilities")
        made = ecs.register_task_definition(
            **{key: known[key] for key in kept}, containerDefinitions=[container | {"image": image}]
        )
        revision = made["taskDefinition"]["taskDefinitionArn"]
        ecs.update_service(cluster=CLUSTER, service=NAME, taskDefinition=revision)
    else:
        arn = story.last()["outputs"]["services"]["web"]["service"]
        [known] = ecs.describe_express_gateway_service(serviceArn=arn)["service"]["activeConfigurations"]
        ecs.update_express_gateway_service(
            serviceArn=arn, primaryContainer=known["primaryContainer"] | {"image": image}
        )
    story.releasectl("status", "staging")  # it waits until nothing is under way


def test_a_move_to_another_runtime_says_what_becomes_of_the_address_before_anybody_merges(story: Story) -> None:
    old = story.last()["outputs"]["services"]["web"]
    new = "ecs-express" if old["runtime"] == "fargate" else "fargate"
    running = story.service()["runs"]
    settle(story, new, f"\n      leaving: {old['runtime']}", ("staging",))
    story.pull()

    said = story.releasectl("preview", "staging")
    assert said.code == 0, said.err
    assert f"web moves from {old['runtime']} to {new}" in said.out
    assert old["url"] in said.out
    moved = story.releasectl("reconcile", "staging")
    assert moved.code == 0, moved.err

    both = story.last()["outputs"]["services"]["web"]
    assert serving(story)["digest"] == running
    assert both["leaving"]["url"] == old["url"]
    answer = httpx.get(f"{old['url']}/version", verify=story.sandbox.tls(), trust_env=False).json()
    assert answer["digest"] == running, "the old address still answers"


def test_the_old_runtime_goes_with_the_line_that_names_it(story: Story) -> None:
    before = story.last()["outputs"]["services"]["web"]
    settle(story, before["runtime"], "", ("staging",))
    story.pull()

    said = story.releasectl("preview", "staging")
    assert "delete" in said.out
    assert before["leaving"]["url"] in said.out
    done = story.releasectl("reconcile", "staging")

    assert done.code == 0, done.err
    assert story.last()["outputs"]["services"]["web"]["leaving"] is None
    assert serving(story)["digest"] == story.service()["runs"]
    alarms = story.client("cloudwatch").describe_alarms(AlarmNamePrefix=NAME)["MetricAlarms"]
    assert {one["AlarmName"] for one in alarms} == set(before["alarms"]), "the alarms stay, whatever the runtime"
    assert planned(story) == {}


def test_a_move_without_a_word_about_the_old_runtime_is_refused_with_the_line_to_write(story: Story) -> None:
    here = story.last()["outputs"]["services"]["web"]["runtime"]
    before = story.everything_but_services()
    other = "ecs-express" if here == "fargate" else "fargate"
    text = story.read("Pulumi.staging.yaml").decode().replace(f"runtime: {here}", f"runtime: {other}")
    (story.sandbox.clone / "Pulumi.staging.yaml").write_text(text)

    said = story.releasectl("preview", "staging", "--json")

    assert said.code != 0
    assert f"leaving: {here}" in json.dumps(said.json)
    assert story.everything_but_services() == before
    story.pull()
