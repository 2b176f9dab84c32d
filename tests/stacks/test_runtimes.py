"""What holds for a service whatever runtime it is on: the program run whole by an engine that records."""

import json
from pathlib import Path
from typing import Any

import pytest

from stacks.shape import ALARM, SHAPES, WATCHED
from tests.stacks import programs
from tests.stacks.programs import OWN, REPOSITORY, RUNTIMES, SHARED, differing, statements, web
from tests.stacks.recording_engine import ACCOUNT, Recording
from tests.stacks.texts import DIGEST, KEY, NETWORK, OTHER_DIGEST, PARAMETER, SECRET

pytestmark = pytest.mark.parametrize("runtime", RUNTIMES)

RESTART = "2026-11-21T10:00:00Z"
SECRETS = f'secrets: {{A: "{SECRET}:password::", B: "{PARAMETER}"}}, secrets_key: "{KEY}"'
SERVICES = {"app-runner": "Service", "ecs-express": "ExpressGatewayService", "fargate": "Service"}
# What AWS itself runs the service with: roles that nobody else can take.
PRINCIPALS = {
    "app-runner": {"access": "build.apprunner.amazonaws.com", "instance": "tasks.apprunner.amazonaws.com"},
    "ecs-express": {
        "execution": "ecs-tasks.amazonaws.com",
        "infrastructure": "ecs.amazonaws.com",
        "task": "ecs-tasks.amazonaws.com",
    },
    "fargate": {"execution": "ecs-tasks.amazonaws.com", "task": "ecs-tasks.amazonaws.com"},
}
# Only these calls know no resource.
WIDE = [["ecr:GetAuthorizationToken"]]


def variables(recording: Recording, runtime: str) -> dict[str, str]:
    """What the container is given."""
    if runtime == "app-runner":
        source = recording.one("Service", "web").inputs["sourceConfiguration"]["imageRepository"]
        given: dict[str, str] = source["imageConfiguration"]["runtimeEnvironmentVariables"]
        return given
    if runtime == "fargate":
        [container] = json.loads(recording.one("TaskDefinition", "web").inputs["containerDefinitions"])
        pairs = container["environment"]
    else:
        pairs = recording.one("ExpressGatewayService", "web").inputs["primaryContainer"]["environments"]
    assert [pair["name"] for pair in pairs] == sorted(pair["name"] for pair in pairs)
    return {pair["name"]: pair["value"] for pair in pairs if pair["name"] != "PORT"}


def test_a_pinned_service_is_registered_with_all_that_it_needs_and_nothing_else(tmp_path: Path, runtime: str) -> None:
    assert web(tmp_path, runtime=runtime).declared() == SHARED | REPOSITORY | programs.WATCHED | OWN[runtime]


def test_a_service_without_a_digest_gets_its_repository_and_no_runtime(tmp_path: Path, runtime: str) -> None:
    recording = web(tmp_path, digest="", runtime=runtime)

    assert recording.declared() == SHARED | REPOSITORY
    assert recording.outputs["services"]["web"] == {
        "runtime": runtime,
        "repository": programs.URL,
        "digest": "",
        "image": "",
        "service": "",
        "url": "",
        "health_path": "/healthz",
        "version_path": "/version",
        "private": False,
        "alarms": [],
        "log_group": "",
        "domain": None,
        "leaving": None,
    }


def test_the_image_is_the_pinned_digest_and_the_stack_says_so(tmp_path: Path, runtime: str) -> None:
    service = web(tmp_path, runtime=runtime).outputs["services"]["web"]

    assert (service["digest"], service["image"]) == (DIGEST, f"{programs.URL}@{DIGEST}")
    assert service["service"].startswith("arn:aws:")
    assert service["url"].startswith("https://" if runtime != "fargate" else "http://")


def test_the_service_is_told_its_digest_and_environment_beside_its_own_variables(tmp_path: Path, runtime: str) -> None:
    told = variables(web(tmp_path, more='variables: {COLOUR: "blue"}', runtime=runtime), runtime)

    assert told == {"COLOUR": "blue", "RELEASE_DIGEST": DIGEST, "RELEASE_ENVIRONMENT": "staging"}


def test_a_restart_changes_one_variable_and_nothing_else(tmp_path: Path, runtime: str) -> None:
    before = web(tmp_path, runtime=runtime)
    restarted = web(tmp_path, restart=RESTART, runtime=runtime)

    assert variables(restarted, runtime) == variables(before, runtime) | {"RELEASE_RESTART": RESTART}
    changed = {one.key for one in restarted.registrations if one.inputs != before.one(*one.key).inputs}
    assert changed == {("TaskDefinition", "web") if runtime == "fargate" else (SERVICES[runtime], "web")}


def test_another_digest_changes_only_what_the_shape_of_a_release_allows(tmp_path: Path, runtime: str) -> None:
    old, new = web(tmp_path, runtime=runtime), web(tmp_path, OTHER_DIGEST, restart=RESTART, runtime=runtime)
    allowed: dict[str, list[str]] = {change["type"]: change["properties"] for change in new.outputs["shape"]}

    changed = {
        (one.type, path) for one in new.registrations for path in differing(one.inputs, old.one(*one.key).inputs)
    }
    assert changed
    assert all(any(path.startswith(prefix) for prefix in allowed[kind]) for kind, path in changed)


def test_the_shape_of_a_release_covers_a_first_release_and_knows_no_type_that_nothing_declares(
    tmp_path: Path, runtime: str
) -> None:
    recording = web(tmp_path, more=SECRETS, runtime=runtime)
    creatable = {change["type"] for change in recording.outputs["shape"] if "create" in change["operations"]}
    made = {one.type for one in recording.registrations if one.key in OWN[runtime] | programs.WATCHED}

    assert made <= creatable
    # Domains, networks and other rollouts need some more.
    assert creatable - made <= {change.type for change in SHAPES[runtime] if change.operations == ("create",)}


def test_what_counts_as_the_release_is_declared(tmp_path: Path, runtime: str) -> None:
    recording = web(tmp_path, email="[team@example.com]", runtime=runtime)
    rules = recording.outputs["drift"]
    declared = {one.type for one in recording.registrations}

    assert {rule["type"] for rule in rules["release"]} == {one.type for one in WATCHED[runtime]} | {ALARM}
    assert {rule["type"] for rule in rules["release"]} | set(rules["replaceable"]) <= declared


def test_what_would_be_lost_with_data_or_an_address_is_protected_and_nothing_else(tmp_path: Path, runtime: str) -> None:
    guarded = {one.key for one in web(tmp_path, runtime=runtime).registrations if one.protect}
    balancer = {("LoadBalancer", "web")} if runtime == "fargate" else set()

    assert guarded == {("Repository", "web"), (SERVICES[runtime], "web")} | balancer


def test_everything_is_in_the_region_of_the_settings(tmp_path: Path, runtime: str) -> None:
    recording = web(tmp_path, runtime=runtime)
    [provider] = [each for each in recording.registrations if each.type == "pulumi:providers:aws"]

    assert provider.inputs["region"] == "eu-west-1"
    others = [each for each in recording.registrations if each is not provider]
    assert {each.provider.rpartition("::")[2] for each in others} == {"aws"}


# They have no tags at AWS, or the provider has none for them.
UNTAGGED = {
    *("Alias", "Dashboard", "EventTarget", "KeyPolicy", "LifecyclePolicy", "Policy", "RolePolicy"),
    *("RolePolicyAttachment", "TopicPolicy", "aws", "Environment", "AppRunner", "EcsExpress", "Fargate"),
}


def test_everything_that_can_carry_tags_says_who_manages_it(tmp_path: Path, runtime: str) -> None:
    tagged = [one for one in web(tmp_path, runtime=runtime).registrations if one.key[0] not in UNTAGGED]
    shared = {"managed-by": "release-controller", "environment": "staging"}

    for one in tagged:
        own = {} if one.name in ("alerts", "cluster") else {"service": "web"}
        assert one.inputs.get("tags") == shared | own, one.key


def test_only_the_registry_token_is_allowed_on_every_resource(tmp_path: Path, runtime: str) -> None:
    recording = web(tmp_path, more=SECRETS, runtime=runtime)
    wide = [each for each in statements(recording) if each.get("Resource") in ("*", ["*"])]

    assert [each["Action"] for each in wide] == WIDE
    assert not any("*" in str(each["Action"]) for each in statements(recording))
    assert not any(each["Principal"] == "*" for each in statements(recording) if "Principal" in each)


def test_it_may_pull_from_this_one_repository_alone(tmp_path: Path, runtime: str) -> None:
    pulls = [one for one in statements(web(tmp_path, runtime=runtime)) if "ecr:BatchGetImage" in one["Action"]]

    [resources] = [one["Resource"] for one in pulls]
    assert resources == [f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/{programs.NAME}"]


def test_each_role_can_be_taken_by_its_part_of_aws_alone(tmp_path: Path, runtime: str) -> None:
    recording = web(tmp_path, runtime=runtime)
    trusted = {
        one.name.removeprefix("web-"): json.loads(one.inputs["assumeRolePolicy"])["Statement"]
        for one in recording.registrations
        if one.key[0] == "Role"
    }

    assert {role: one["Principal"] for role, [one] in trusted.items()} == {
        role: {"Service": principal} for role, principal in PRINCIPALS[runtime].items()
    }


def test_exactly_the_named_secrets_may_be_read(tmp_path: Path, runtime: str) -> None:
    found = statements(web(tmp_path, more=SECRETS, runtime=runtime))
    read = [
        (one["Action"], one["Resource"]) for one in found if str(one["Action"]).startswith(("['secr", "['ssm", "['kms"))
    ]

    assert read == [
        (["secretsmanager:GetSecretValue"], [SECRET]),
        (["ssm:GetParameters"], [PARAMETER]),
        (["kms:Decrypt"], [KEY]),
    ]


def test_no_key_is_opened_for_secrets_that_need_none(tmp_path: Path, runtime: str) -> None:
    found = statements(web(tmp_path, more=f'secrets: {{A: "{SECRET}"}}', runtime=runtime))

    assert not any("kms" in str(one["Action"]) for one in found)


def test_it_starts_only_when_its_roles_may_do_their_work(tmp_path: Path, runtime: str) -> None:
    recording = web(tmp_path, more=SECRETS, runtime=runtime)
    policies = {one.name for one in recording.registrations if one.key[0].startswith("RolePolicy")}
    awaited = {
        urn.rpartition("::")[2] for urn in recording.one(SERVICES[runtime], "web").dependencies if "rolePolicy" in urn
    }

    assert awaited == policies


def test_a_borrowed_registry_is_named_and_pulled_from_and_not_created(tmp_path: Path, runtime: str) -> None:
    recording = web(tmp_path, more="registry: build", runtime=runtime)
    url = programs.URL.replace("staging", "build")

    assert not recording.declared() & REPOSITORY
    service = recording.outputs["services"]["web"]
    assert (service["repository"], service["image"]) == (url, f"{url}@{DIGEST}")
    [pull] = [one for one in statements(recording) if "ecr:BatchGetImage" in one["Action"]]
    assert pull["Resource"] == [f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/release-controller-build-web"]


def _without_names(recording: Recording) -> dict[str, Any]:
    return {one.name: one.inputs for one in recording.registrations if one.key[0] == "MetricAlarm"}


def test_a_runtime_that_is_left_runs_on_beside_without_protection_and_without_alarms(
    tmp_path: Path, runtime: str
) -> None:
    new = "fargate" if runtime != "fargate" else "ecs-express"
    recording = web(tmp_path, more=f"leaving: {runtime}", runtime=new, network=NETWORK)
    service = recording.outputs["services"]["web"]

    assert recording.declared() >= OWN[new] | (OWN[runtime] - {("MetricAlarm", "web-instances")})
    assert service["runtime"] == new
    assert service["leaving"]["runtime"] == runtime
    assert service["leaving"]["url"] != service["url"]
    guarded = {(one.type, one.protect) for one in recording.registrations}
    assert {protect for kind, protect in guarded if kind in {one.type for one in WATCHED[runtime][:1]}} == {False}
    assert {protect for kind, protect in guarded if kind in {one.type for one in WATCHED[new][:1]}} == {True}
    names = [one.inputs["name"] for one in recording.registrations if one.key[0] == "MetricAlarm"]
    assert len(names) == len(set(names))


def test_alarms_keep_their_place_whatever_the_runtime(tmp_path: Path, runtime: str) -> None:
    alarms = {
        one.name: (one.parent.rpartition("::")[2], one.inputs["name"])
        for one in web(tmp_path, runtime=runtime).registrations
        if one.key[0] == "MetricAlarm"
    }

    for about in ("cpu", "errors", "latency", "memory"):
        assert alarms[f"web-{about}"] == ("staging", f"{programs.NAME}-{about}")


def test_the_application_gets_the_permissions_of_its_policy_file(tmp_path: Path, runtime: str) -> None:
    folder = tmp_path / "stacks/permissions"
    folder.mkdir(parents=True)
    statement = {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": ["arn:aws:sqs:eu-west-1:1:orders"]}
    (folder / "web.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    recording = web(tmp_path, more="permissions: permissions/web.json", runtime=runtime)

    given = recording.one("RolePolicy", "web-permissions").inputs
    assert json.loads(given["policy"])["Statement"] == [statement]
    role = {"app-runner": "instance", "ecs-express": "express-task", "fargate": "task"}[runtime]
    assert given["role"] == f"{programs.NAME}-{role}"


def test_nothing_is_called_alike_while_a_service_moves(tmp_path: Path, runtime: str) -> None:
    for new in set(RUNTIMES) - {runtime}:
        recording = web(tmp_path, more=f"leaving: {runtime}", runtime=new, network=NETWORK)
        named = [
            (one.type, one.inputs[key])
            for one in recording.registrations
            for key in ("name", "serviceName", "family", "vpcConnectorName")
            # A policy's name is its role's own; scaling policies are those of their target.
            if key in one.inputs and one.key[0] not in ("RolePolicy", "Policy")
        ]
        assert len(named) == len(set(named)), new
