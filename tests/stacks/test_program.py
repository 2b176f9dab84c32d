"""What the program registers and exports of an environment, run whole by an engine that records."""

from pathlib import Path

import pulumi
import pulumi_aws as aws
import pytest

from tests.stacks.programs import OWN, REPOSITORY, SHARED, URL, WATCHED, web
from tests.stacks.recording_engine import ACCOUNT, record, run_program
from tests.stacks.texts import DIGEST, NETWORK, OTHER_DIGEST, release_text, settings_text


def _policy(statement: str) -> str:
    return f'{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", {statement}}}]}}'


def test_two_services_have_everything_of_their_own_but_the_topic(tmp_path: Path) -> None:
    recording = record(
        tmp_path,
        release=release_text({"web": DIGEST, "api": OTHER_DIGEST}),
        settings_file=settings_text({"web": "", "api": "port: 9000"}),
    )

    web_keys = REPOSITORY | OWN["app-runner"] | WATCHED
    api_keys = {(type_name, name.replace("web", "api")) for type_name, name in web_keys}
    assert recording.declared() == SHARED | web_keys | api_keys
    api = recording.one("Service", "api").inputs["sourceConfiguration"]["imageRepository"]
    assert api["imageIdentifier"] == f"{URL.replace('-web', '-api')}@{OTHER_DIGEST}"
    assert api["imageConfiguration"]["port"] == "9000"


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
        "private": False,
        "alarms": [f"release-controller-staging-web-{about}" for about in ("errors", "latency", "cpu", "memory")],
        "log_group": "",
        "domain": None,
        "leaving": None,
    }
    assert set(outputs) == {"environment", "region", "topic", "services", "shape", "drift"}


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
        **{("MetricAlarm", f"web-{about}"): ("threshold",) for about in ("cpu", "errors", "memory")},
        ("MetricAlarm", "web-latency"): ("threshold", "tags.*"),
        ("Topic", "alerts"): ("*",),
    }
    assert [rule["reason"] for rule in recording.outputs["drift"]["ignore"]] == [
        "tuned by whoever is on call",
        "the finance tool tags it",
        "another team owns it",
    ]


def test_an_environment_of_two_runtimes_has_one_cluster_and_the_shapes_of_both(tmp_path: Path) -> None:
    settings = settings_text({"web": "", "api": ""}, network=NETWORK).replace(
        "api: {runtime: app-runner", "api: {runtime: fargate"
    )
    recording = record(tmp_path, release=release_text({"web": DIGEST, "api": OTHER_DIGEST}), settings_file=settings)

    assert {name for kind, name in recording.declared() if kind == "Cluster"} == {"cluster"}
    shape = [(change["type"], tuple(change["operations"])) for change in recording.outputs["shape"]]
    assert len(shape) == len(set(shape))
    assert {
        ("aws:apprunner/service:Service", ("create", "update")),
        ("aws:ecs/service:Service", ("create", "update")),
    } <= set(shape)


def test_an_environment_without_a_service_on_ecs_has_no_cluster(tmp_path: Path) -> None:
    assert "Cluster" not in {kind for kind, _ in web(tmp_path).declared()}


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        pytest.param(None, "it is not there", id="no file"),
        pytest.param("{", "it is no JSON", id="no JSON"),
        pytest.param("[]", "no policy document", id="a list"),
        pytest.param('{"Version": "2008-10-17", "Statement": []}', "version 2012-10-17", id="version"),
        pytest.param('{"Version": "2012-10-17", "Statement": []}', "no list of statements", id="no statement"),
        pytest.param(_policy('"Action": "*", "Resource": "*"'), "every action", id="everything"),
        pytest.param(_policy('"Action": ["s3:*"], "Resource": "*"'), "every action of a service", id="a service"),
        pytest.param(_policy('"NotAction": "iam:*", "Resource": "*"'), "all but something", id="NotAction"),
        pytest.param(_policy('"Action": "s3:GetObject"'), "no `Resource`", id="no resource"),
        pytest.param(_policy('"Action": "s3:GetObject", "Resource": "*", "Principal": "*"'), "principal", id="whose"),
    ],
)
def test_a_policy_that_gives_too_much_or_is_none_is_refused_before_anything_is_made(
    tmp_path: Path, policy: str | None, said: str
) -> None:
    if policy is not None:
        (tmp_path / "stacks/permissions").mkdir(parents=True)
        (tmp_path / "stacks/permissions/web.json").write_text(policy)

    with pytest.raises(pulumi.RunError, match=rf"stacks/permissions/web\.json: .*{said}"):
        web(tmp_path, more="permissions: permissions/web.json")
