"""What the program registers and exports, run whole by an engine that records."""

import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from tests.stacks.recording_engine import ACCOUNT, Recording, record, run_program
from tests.stacks.texts import (
    DIGEST,
    KEY,
    OTHER_DIGEST,
    PARAMETER,
    SECRET,
    release_text,
    settings_text,
)

SHARED = {
    ("aws", "aws"),
    ("Environment", "staging"),
    ("Topic", "alerts"),
    ("TopicPolicy", "alerts"),
}
REPOSITORY = {("Repository", "web"), ("LifecyclePolicy", "web")}
RUNTIME = {
    ("AppRunner", "web"),
    ("AutoScalingConfigurationVersion", "web"),
    ("MetricAlarm", "web-errors"),
    ("MetricAlarm", "web-latency"),
    ("Role", "web-access"),
    ("Role", "web-instance"),
    ("RolePolicy", "web-access"),
    ("Service", "web"),
}
URL = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/release-controller-staging-web"


def web(root: Path, digest: str = DIGEST, more: str = "", **texts: Any) -> Recording:
    restart = texts.pop("restart", "")
    email = texts.pop("email", "[]")
    release = release_text({"web": digest}, restart)
    return record(root, release=release, settings_file=settings_text({"web": more}, email), **texts)


def source(recording: Recording) -> dict[str, Any]:
    configuration: dict[str, Any] = recording.one("Service", "web").inputs["sourceConfiguration"]
    return configuration


def environment_of(recording: Recording) -> dict[str, str]:
    image = source(recording)["imageRepository"]["imageConfiguration"]
    variables: dict[str, str] = image["runtimeEnvironmentVariables"]
    return variables


def statements(recording: Recording) -> list[dict[str, Any]]:
    """Every statement of every policy that anything carries."""
    documents = [
        registration.inputs[key]
        for registration in recording.registrations
        for key in ("policy", "assumeRolePolicy")
        if key in registration.inputs and registration.key[0] != "LifecyclePolicy"
    ]
    return [statement for document in documents for statement in json.loads(document)["Statement"]]


def test_a_pinned_service_is_registered_with_all_that_it_needs_and_nothing_else(tmp_path: Path) -> None:
    assert web(tmp_path).keys() == SHARED | REPOSITORY | RUNTIME


def test_a_service_without_a_digest_gets_its_repository_and_no_runtime(tmp_path: Path) -> None:
    recording = web(tmp_path, digest="")

    assert recording.keys() == SHARED | REPOSITORY
    assert recording.outputs["services"]["web"] == {
        "runtime": "app-runner",
        "repository": URL,
        "digest": "",
        "image": "",
        "service": "",
        "url": "",
        "health_path": "/healthz",
        "version_path": "/version",
        "alarms": [],
    }


def test_two_services_have_everything_of_their_own_but_the_topic(tmp_path: Path) -> None:
    recording = record(
        tmp_path,
        release=release_text({"web": DIGEST, "api": OTHER_DIGEST}),
        settings_file=settings_text({"web": "", "api": "port: 9000"}),
    )

    web_keys = REPOSITORY | RUNTIME
    api_keys = {(type_name, name.replace("web", "api")) for type_name, name in web_keys}
    assert recording.keys() == SHARED | web_keys | api_keys
    api = recording.one("Service", "api").inputs["sourceConfiguration"]["imageRepository"]
    assert api["imageIdentifier"] == f"{URL.replace('-web', '-api')}@{OTHER_DIGEST}"
    assert api["imageConfiguration"]["port"] == "9000"


def test_the_image_is_the_pinned_digest_and_never_follows_a_tag(tmp_path: Path) -> None:
    configuration = source(web(tmp_path))

    assert configuration["imageRepository"]["imageIdentifier"] == f"{URL}@{DIGEST}"
    assert configuration["autoDeploymentsEnabled"] is False


def test_the_service_is_told_its_digest_and_environment_beside_its_own_variables(tmp_path: Path) -> None:
    told = environment_of(web(tmp_path, more='variables: {COLOUR: "blue"}'))

    assert told == {"COLOUR": "blue", "RELEASE_DIGEST": DIGEST, "RELEASE_ENVIRONMENT": "staging"}


def test_a_restart_changes_one_variable_and_nothing_else(tmp_path: Path) -> None:
    before = web(tmp_path)
    restarted = web(tmp_path, restart="2026-11-21T10:00:00Z")

    assert environment_of(restarted)["RELEASE_RESTART"] == "2026-11-21T10:00:00Z"
    del environment_of(restarted)["RELEASE_RESTART"]
    assert by_key(restarted) == by_key(before)


def by_key(recording: Recording) -> dict[tuple[str, str], Any]:
    return {registration.key: registration.inputs for registration in recording.registrations}


def test_another_digest_changes_only_what_the_shape_of_a_release_allows(tmp_path: Path) -> None:
    old, new = web(tmp_path), web(tmp_path, OTHER_DIGEST, restart="2026-11-21T10:00:00Z")
    [service_shape] = [change for change in new.outputs["shape"] if change["type"] == "aws:apprunner/service:Service"]

    changed = {
        (registration.type, path)
        for registration in new.registrations
        for path in differing(registration.inputs, old.one(*registration.key).inputs)
    }
    assert changed == {("aws:apprunner/service:Service", path) for path in service_shape["properties"]}


def differing(left: Any, right: Any, path: str = "") -> set[str]:
    if isinstance(left, dict) and isinstance(right, dict):
        keys = set(left) | set(right)
        return {
            found for key in keys for found in differing(left.get(key), right.get(key), f"{path}.{key}".lstrip("."))
        }
    return set() if left == right else {path}


def test_the_shape_of_a_release_covers_a_first_release(tmp_path: Path) -> None:
    recording = web(tmp_path, more=f'secrets: {{KEY: "{SECRET}"}}')
    creatable = {change["type"] for change in recording.outputs["shape"] if "create" in change["operations"]}

    made = {registration.type for registration in recording.registrations if registration.key in RUNTIME}
    assert made == creatable
    assert all(set(change["operations"]) <= {"create", "update"} for change in recording.outputs["shape"])


def test_repository_and_service_are_protected_and_nothing_else_is(tmp_path: Path) -> None:
    guarded = {registration.key for registration in web(tmp_path).registrations if registration.protect}

    assert guarded == {("Repository", "web"), ("Service", "web")}


def test_everything_is_in_the_region_of_the_settings(tmp_path: Path) -> None:
    recording = web(tmp_path)
    [provider] = [each for each in recording.registrations if each.type == "pulumi:providers:aws"]

    assert provider.inputs["region"] == "eu-west-1"
    others = [each for each in recording.registrations if each is not provider]
    assert {each.provider.rpartition("::")[2] for each in others} == {"aws"}


def test_everything_that_can_carry_tags_says_who_manages_it(tmp_path: Path) -> None:
    tags = {each.key[0]: each.inputs.get("tags") for each in web(tmp_path).registrations}

    own = {"managed-by": "release-controller", "environment": "staging", "service": "web"}
    for kind in ("Repository", "Service", "Role", "AutoScalingConfigurationVersion", "MetricAlarm"):
        assert tags[kind] == own, kind
    assert tags["Topic"] == {"managed-by": "release-controller", "environment": "staging"}


def test_only_the_registry_token_is_allowed_on_every_resource(tmp_path: Path) -> None:
    recording = web(tmp_path, more=f'secrets: {{A: "{SECRET}", B: "{PARAMETER}"}}, secrets_key: "{KEY}"')
    wide = [each for each in statements(recording) if "*" in str(each.get("Resource", ""))]

    assert [each["Action"] for each in wide] == [["ecr:GetAuthorizationToken"]]
    assert not any("*" in str(each["Action"]) for each in statements(recording))
    assert not any(each["Principal"] == "*" for each in statements(recording) if "Principal" in each)


def test_app_runner_may_pull_from_this_one_repository_alone(tmp_path: Path) -> None:
    recording = web(tmp_path)
    policy = json.loads(recording.one("RolePolicy", "web-access").inputs["policy"])

    assert policy["Statement"][0] == {
        "Effect": "Allow",
        "Action": [
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:DescribeImages",
            "ecr:GetDownloadUrlForLayer",
        ],
        "Resource": [f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/release-controller-staging-web"],
    }


def test_each_role_can_be_taken_by_its_part_of_app_runner_alone(tmp_path: Path) -> None:
    recording = web(tmp_path)
    trusted = {
        role: json.loads(recording.one("Role", f"web-{role}").inputs["assumeRolePolicy"])["Statement"][0]["Principal"]
        for role in ("access", "instance")
    }

    assert trusted == {
        "access": {"Service": "build.apprunner.amazonaws.com"},
        "instance": {"Service": "tasks.apprunner.amazonaws.com"},
    }


def test_the_service_may_read_exactly_its_secrets(tmp_path: Path) -> None:
    more = f'secrets: {{A: "{SECRET}:password::", B: "{PARAMETER}"}}, secrets_key: "{KEY}"'
    recording = web(tmp_path, more=more)
    policy = json.loads(recording.one("RolePolicy", "web-instance").inputs["policy"])

    assert [(each["Action"], each["Resource"]) for each in policy["Statement"]] == [
        (["secretsmanager:GetSecretValue"], [SECRET]),
        (["ssm:GetParameters"], [PARAMETER]),
        (["kms:Decrypt"], [KEY]),
    ]


def test_no_key_is_opened_for_secrets_that_need_none(tmp_path: Path) -> None:
    recording = web(tmp_path, more=f'secrets: {{A: "{SECRET}"}}')

    assert "kms" not in recording.one("RolePolicy", "web-instance").inputs["policy"]


def test_app_runner_starts_only_when_its_roles_may_do_their_work(tmp_path: Path) -> None:
    recording = web(tmp_path, more=f'secrets: {{A: "{SECRET}"}}')
    awaited = {urn.rpartition("::")[2] for urn in recording.one("Service", "web").dependencies if "rolePolicy" in urn}

    assert awaited == {"web-access", "web-instance"}


def test_size_scaling_and_health_check_come_from_the_settings(tmp_path: Path) -> None:
    more = "cpu: 512, memory: 1024, health_path: /up, scaling: {min: 2, max: 3, concurrency: 7}"
    recording = web(tmp_path, more=more)
    service = recording.one("Service", "web").inputs
    scaling = recording.one("AutoScalingConfigurationVersion", "web").inputs

    instance = service["instanceConfiguration"]
    assert (instance["cpu"], instance["memory"]) == ("512", "1024")
    health = service["healthCheckConfiguration"]
    assert (health["protocol"], health["path"]) == ("HTTP", "/up")
    assert health["timeout"] < health["interval"]
    assert (scaling["minSize"], scaling["maxSize"], scaling["maxConcurrency"]) == (2, 3, 7)
    assert 4 <= len(scaling["autoScalingConfigurationName"]) <= 32


def test_both_alarms_watch_the_series_that_app_runner_writes(tmp_path: Path) -> None:
    recording = web(tmp_path)
    both = {"ServiceName": "release-controller-staging-web", "ServiceID": "0123abcd"}
    queries = recording.one("MetricAlarm", "web-errors").inputs["metricQueries"]

    metrics = [query["metric"] for query in queries if "metric" in query]
    assert {metric["metricName"]: metric["dimensions"] for metric in metrics} == {
        "5xxStatusResponses": both,
        "Requests": both,
    }
    assert recording.one("MetricAlarm", "web-latency").inputs["dimensions"] == both
    spaces = {metric["namespace"] for metric in metrics}
    assert spaces | {recording.one("MetricAlarm", "web-latency").inputs["namespace"]} == {"AWS/AppRunner"}


@pytest.mark.parametrize(
    ("requests", "errors", "share"),
    [
        pytest.param(1000, 20, 2, id="the share in percent"),
        pytest.param(1000, None, 0, id="no series of errors is no error"),
        pytest.param(19, 19, 0, id="too little traffic to judge"),
        pytest.param(20, 20, 100, id="just enough traffic"),
    ],
)
def test_the_error_alarm_computes_a_share_with_a_guard(
    tmp_path: Path, requests: int, errors: int | None, share: float
) -> None:
    alarm = web(tmp_path, more="alarms: {errors_percent: 3}").one("MetricAlarm", "web-errors").inputs
    [query] = [query for query in alarm["metricQueries"] if query.get("returnData")]

    assert evaluate(query["expression"], {"requests": requests, "errors": errors}) == share
    assert alarm["threshold"] == 3
    assert alarm["comparisonOperator"] == "GreaterThanThreshold"
    assert alarm["treatMissingData"] == "notBreaching"


def evaluate(expression: str, metrics: dict[str, float | None]) -> float:
    """CloudWatch's metric math as far as the alarm needs it: IF, FILL and arithmetic."""
    python = re.sub(r"\bIF\((.*?), (.*), (.*?)\)$", r"(\2) if (\1) else (\3)", expression)
    fill = lambda value, instead: instead if value is None else value  # noqa: E731
    result: float = eval(python, {"__builtins__": {}, "FILL": fill}, metrics)  # noqa: S307 - our own expression
    return result


def test_the_latency_alarm_is_on_p95_in_milliseconds(tmp_path: Path) -> None:
    alarm = web(tmp_path, more="alarms: {latency_p95_ms: 750}").one("MetricAlarm", "web-latency").inputs

    assert (alarm["metricName"], alarm["extendedStatistic"], alarm["threshold"]) == ("RequestLatency", "p95", 750)
    assert alarm["evaluateLowSampleCountPercentiles"] == "ignore"
    assert alarm["treatMissingData"] == "notBreaching"


@pytest.mark.parametrize("name", ["web-errors", "web-latency"])
def test_an_alarm_tells_the_topic_when_it_starts_and_when_it_is_over(tmp_path: Path, name: str) -> None:
    recording = web(tmp_path)
    alarm = recording.one("MetricAlarm", name).inputs

    assert alarm["alarmActions"] == alarm["okActions"] == [recording.outputs["topic"]]


def test_cloudwatch_of_this_account_may_publish_and_the_owner_keeps_access(tmp_path: Path) -> None:
    recording = web(tmp_path)
    topic = recording.outputs["topic"]
    cloudwatch, owner = json.loads(recording.one("TopicPolicy", "alerts").inputs["policy"])["Statement"]

    assert cloudwatch["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert cloudwatch["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:eu-west-1:{ACCOUNT}:alarm:*"},
    }
    assert owner["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert {cloudwatch["Resource"], owner["Resource"]} == {topic}


def test_each_address_has_a_subscription_that_is_named_by_it(tmp_path: Path) -> None:
    recording = web(tmp_path, email="[a@team.example, b@team.example]")
    subscriptions = [each for each in recording.registrations if each.key[0] == "TopicSubscription"]

    assert {each.name: each.inputs["endpoint"] for each in subscriptions} == {
        "alerts-a@team.example": "a@team.example",
        "alerts-b@team.example": "b@team.example",
    }
    assert {each.inputs["topic"] for each in subscriptions} == {recording.outputs["topic"]}


def test_the_outputs_tell_the_controller_where_everything_is(tmp_path: Path) -> None:
    outputs = web(tmp_path).outputs

    assert outputs["environment"] == "staging"
    assert outputs["region"] == "eu-west-1"
    assert outputs["services"]["web"] == {
        "runtime": "app-runner",
        "repository": URL,
        "digest": DIGEST,
        "image": f"{URL}@{DIGEST}",
        "service": f"arn:aws:apprunner:eu-west-1:{ACCOUNT}:service/release-controller-staging-web/0123abcd",
        "url": "https://release-controller-staging-web.eu-west-1.awsapprunner.com",
        "health_path": "/healthz",
        "version_path": "/version",
        "alarms": ["release-controller-staging-web-errors", "release-controller-staging-web-latency"],
    }
    assert set(outputs) == {"environment", "region", "topic", "services", "shape", "drift"}


def test_a_silent_rollback_shows_in_the_outputs(tmp_path: Path) -> None:
    old = {"sourceConfiguration": {"imageRepository": {"imageIdentifier": f"{URL}@{OTHER_DIGEST}"}}}
    recording = web(tmp_path, told={"aws:apprunner/service:Service": old})

    service = recording.outputs["services"]["web"]
    assert (service["digest"], service["image"]) == (DIGEST, f"{URL}@{OTHER_DIGEST}")


def test_a_borrowed_registry_is_named_and_pulled_from_and_not_created(tmp_path: Path) -> None:
    recording = web(tmp_path, more="registry: build")
    url = URL.replace("staging", "build")

    assert recording.keys() == SHARED | RUNTIME
    assert recording.outputs["services"]["web"]["repository"] == url
    assert source(recording)["imageRepository"]["imageIdentifier"] == f"{url}@{DIGEST}"
    policy = json.loads(recording.one("RolePolicy", "web-access").inputs["policy"])
    arn = f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/release-controller-build-web"
    assert policy["Statement"][0]["Resource"] == [arn]


@pytest.mark.parametrize(
    ("pinned", "settled", "said"),
    [
        pytest.param({"web": DIGEST, "api": ""}, {"web": ""}, "no settings for api", id="no settings"),
        pytest.param({"web": DIGEST}, {"web": "", "api": ""}, "no pin for api", id="no pin"),
    ],
)
def test_a_service_in_only_one_of_the_two_files_is_refused(
    tmp_path: Path, pinned: dict[str, str], settled: dict[str, str], said: str
) -> None:
    with pytest.raises(pulumi.RunError, match=said):
        record(tmp_path, release=release_text(pinned), settings_file=settings_text(settled))


def test_wrong_settings_end_the_program_in_words_and_not_in_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(pulumi.RunError, match=r"Pulumi\.staging\.yaml:6:\d+ .*`prot` is not a key here"):
        web(tmp_path, more="prot: 1")


def test_one_process_may_run_the_program_twice(tmp_path: Path) -> None:
    first, second = web(tmp_path), web(tmp_path, OTHER_DIGEST)

    assert first.outputs["services"]["web"]["digest"] == DIGEST
    assert second.outputs["services"]["web"]["digest"] == OTHER_DIGEST


def test_the_recording_engine_refuses_a_type_that_it_does_not_know() -> None:
    with pytest.raises(Exception, match="does not know: aws:sqs/queue:Queue"):
        run_program(lambda: aws.sqs.Queue("unknown"), stack="test", told={})


def test_the_recording_engine_refuses_to_answer_for_the_cloud() -> None:
    with pytest.raises(Exception, match="asks the cloud: aws:index/getCallerIdentity"):
        run_program(aws.get_caller_identity_output, stack="test", told={})


RULES = """
  release-controller:drift:
    ignore:
      - {resource: "*:MetricAlarm::web-*", property: threshold, reason: tuned by whoever is on call}
      - {resource: web-latency, property: "tags.*", reason: the finance tool tags it}
      - {resource: "*:Topic::alerts", property: "", reason: another team owns it}
"""


def test_the_program_leaves_alone_what_its_settings_ignore_and_nothing_else(tmp_path: Path) -> None:
    settings = settings_text({"web": ""}) + RULES
    recording = record(tmp_path, release=release_text({"web": DIGEST}), settings_file=settings)

    assert {one.key: one.ignores for one in recording.registrations if one.ignores} == {
        ("MetricAlarm", "web-errors"): ("threshold",),
        ("MetricAlarm", "web-latency"): ("threshold", "tags.*"),
        ("Topic", "alerts"): ("*",),
    }
    assert [rule["reason"] for rule in recording.outputs["drift"]["ignore"]] == [
        "tuned by whoever is on call",
        "the finance tool tags it",
        "another team owns it",
    ]


def test_the_outputs_say_what_counts_as_the_release_and_every_type_of_it_is_declared(tmp_path: Path) -> None:
    recording = web(tmp_path, email="[team@example.com]")
    rules = recording.outputs["drift"]
    declared = {one.type for one in recording.registrations}

    assert {rule["what"] for rule in rules["release"]} == {"digest", "scale", "alarm"}
    assert {rule["type"] for rule in rules["release"]} | set(rules["replaceable"]) <= declared
    assert rules["ignore"] == []
