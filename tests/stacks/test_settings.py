"""Settings files: what is accepted, and everything that is wrong with one, all at once."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from releasectl.errors import InvalidFile
from stacks.service_settings import MEMORY, ServiceSettings
from stacks.settings import Settings, environment_of, parse_settings, schema
from tests.stacks.recording_engine import PROJECT_ROOT
from tests.stacks.texts import CERTIFICATE, KEY, NETWORK, PARAMETER, SECRET, settings_text

FILES = [PROJECT_ROOT / "Pulumi.staging.yaml", PROJECT_ROOT / "Pulumi.production.yaml"]


def parse(text: str, environment: str = "staging") -> Settings:
    return parse_settings(f"Pulumi.{environment}.yaml", text.encode(), environment)


def findings(text: str, environment: str = "staging") -> list[str]:
    with pytest.raises(InvalidFile) as caught:
        parse(text, environment)
    return [str(finding) for finding in caught.value.findings]


def web(more: str, runtime: str = "app-runner") -> ServiceSettings:
    return parse(settings_text({"web": more}, runtime=runtime, network=NETWORK)).services["web"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_projects_own_settings_are_valid(path: Path) -> None:
    assert "web" in parse_settings(path.name, path.read_bytes(), environment_of(path)).services


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_projects_own_settings_match_the_schema(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), json.loads(schema()))


@pytest.mark.parametrize(
    ("accounts", "said"),
    [
        ('["1234"]', "is `1234`, which is no AWS account"),
        ("[123456789012]", "should be text, not the number 123456789012"),
        ('"123456789012"', "`aws:allowedAccountIds` should be a list"),
    ],
)
def test_the_accounts_that_the_provider_may_touch_are_whole_numbers_in_quotes(accounts: str, said: str) -> None:
    text = settings_text({"web": ""})

    assert said in findings(text.replace("config:\n", f"config:\n  aws:allowedAccountIds: {accounts}\n"))[0]
    whole = text.replace("config:\n", 'config:\n  aws:allowedAccountIds: ["123456789012"]\n')
    assert parse(whole).accounts == ("123456789012",)


def test_what_a_service_leaves_out_has_a_sound_default() -> None:
    assert web("") == ServiceSettings(runtime="app-runner")


@pytest.mark.parametrize("runtime", MEMORY)
def test_the_default_size_is_one_that_every_runtime_offers(runtime: str) -> None:
    assert web("", runtime).memory in MEMORY[runtime][web("", runtime).cpu]


def test_keys_that_pulumi_itself_writes_are_accepted() -> None:
    text = (
        settings_text({"web": ""}) + "encryptionsalt: v1:abc\nsecretsprovider: awskms://alias/x\nencryptedkey: QUJD\n"
    )

    assert parse(text).region == "eu-west-1"


@pytest.mark.parametrize(
    ("runtime", "cpu", "memory"),
    [(runtime, cpu, memory) for runtime, pairs in MEMORY.items() for cpu, sizes in pairs.items() for memory in sizes],
)
def test_every_size_that_a_runtime_offers_is_accepted(runtime: str, cpu: int, memory: int) -> None:
    assert web(f"cpu: {cpu}, memory: {memory}", runtime).memory == memory


@pytest.mark.parametrize("arn", [SECRET, f"{SECRET}:password::", PARAMETER])
def test_a_secret_is_named_by_its_arn(arn: str) -> None:
    assert web(f'secrets: {{A: "{arn}"}}, secrets_key: "{KEY}"').secrets == {"A": arn}


@pytest.mark.parametrize(
    ("more", "said", "remedy"),
    [
        pytest.param(
            "cpu: 256, memory: 2048", "`memory` is 2048, which App Runner does not offer", "512, 1024", id="pair"
        ),
        pytest.param("cpu: 256", "`memory` is 2048, which App Runner does not offer", "512, 1024", id="default pair"),
        pytest.param("cpu: 300", "`cpu` is `300`", "256, 512", id="cpu"),
        pytest.param('cpu: "256", memory: 512', "`cpu` is `256`", "Write one of", id="text for number"),
        pytest.param("port: 0", "`port` is 0, outside 1 to 65535", "Write a number", id="port too low"),
        pytest.param("port: 65536", "`port` is 65536, outside", "Write a number", id="port too high"),
        pytest.param("health_path: healthz", "`health_path` is `healthz`", "Begin it with `/`", id="health path"),
        pytest.param("version_path: version", "`version_path` is `version`", "Begin it with `/`", id="version path"),
        pytest.param("scaling: {min: 3, max: 2}", "`max` is 2, less than `min`, 3", "Raise it", id="min over max"),
        pytest.param("scaling: {min: 9}", "`max` is 4, less than `min`, 9", "Raise it", id="min over default max"),
        pytest.param("scaling: {min: 0}", "`min` is 0, outside 1 to 1000", "Write a number", id="no instance"),
        pytest.param("scaling: {concurrency: 201}", "`concurrency` is 201", "1 to 200", id="concurrency"),
        pytest.param("alarms: {errors_percent: -1}", "`errors_percent` is -1", "0 to 100", id="negative share"),
        pytest.param("alarms: {latency_p95_ms: -1}", "`latency_p95_ms` is -1", "0 to 120000", id="negative latency"),
        pytest.param(
            "variables: {LEVEL: 3}", "`LEVEL` should be text, not the number 3", "quotes", id="number for text"
        ),
        pytest.param(
            "variables: {ON: true}", "`ON` should be text, not the boolean true", "quotes", id="truth for text"
        ),
        pytest.param('variables: {AWSAPPRUNNER_X: "a"}', "is a reserved variable", "Rename it", id="AWSAPPRUNNER"),
        pytest.param('variables: {RELEASE_DIGEST: "a"}', "is a reserved variable", "Rename it", id="RELEASE"),
        pytest.param('variables: {PORT: "1"}', "is a reserved variable", "Rename it", id="PORT"),
        pytest.param(f'secrets: {{RELEASE_KEY: "{SECRET}"}}', "is a reserved variable", "Rename it", id="in secrets"),
        pytest.param('variables: {a-b: "a"}', "is no name for a variable", "Use letters", id="variable's name"),
        pytest.param('secrets: {A: "hunter2"}', "no ARN of a secret", "Copy the full ARN", id="no ARN"),
        pytest.param(f'secrets: {{A: "{SECRET[:-7]}"}}', "no ARN of a secret", "Copy the full ARN", id="partial ARN"),
        pytest.param(
            f'variables: {{A: "x"}}, secrets: {{A: "{SECRET}"}}', "both set `A`", "Delete it from one", id="set twice"
        ),
        pytest.param('secrets_key: "alias/mine"', "no ARN of a KMS key", "Copy the key's ARN", id="key"),
        pytest.param("registry: staging", "is this environment itself", "Delete the key", id="own registry"),
        pytest.param("registry: Build!", "which is no environment", "Name an environment", id="registry"),
        pytest.param("helth_path: /up", "did you mean `health_path`?", "Rename it", id="near miss"),
    ],
)
def test_a_wrong_value_is_one_finding_with_place_and_remedy(more: str, said: str, remedy: str) -> None:
    [finding] = findings(settings_text({"web": more}))

    assert finding.startswith("Pulumi.staging.yaml:6:")
    assert "config.release-controller:services.web" in finding
    assert said in finding
    assert remedy in finding


@pytest.mark.parametrize(
    ("runtime", "more", "said", "remedy"),
    [
        pytest.param("app-runner", "cpu: 8192, memory: 16384", "which App Runner does not offer", "4096", id="cpu"),
        pytest.param("fargate", "cpu: 256, memory: 4096", "Fargate does not offer with cpu 256", "2048", id="pair"),
        pytest.param("ecs-express", "cpu: 512, memory: 512", "ECS Express Mode does not offer", "1024", id="express"),
        pytest.param("app-runner", "scaling: {cpu_percent: 60}", "App Runner does not know", "concurrency", id="cpu %"),
        pytest.param("fargate", "scaling: {concurrency: 9}", "Fargate does not know", "cpu_percent", id="concurrency"),
        pytest.param("app-runner", "scaling: {max: 26}", "runs at most 25", "Lower `max`", id="instances"),
        pytest.param("app-runner", "architecture: arm64", "for fargate alone", "Delete it", id="architecture"),
        pytest.param("ecs-express", "deployment: {strategy: canary}", "for fargate alone", "Delete it", id="rollout"),
        pytest.param("fargate", "deployment: {strategy: blue}", "`strategy` is `blue`", "blue-green", id="strategy"),
        pytest.param("fargate", "deployment: {step_percent: 2}", "outside 3 to 100", "Write a number", id="step"),
        pytest.param("ecs-express", "domain: {name: a.example.com}", "not to be had", "fargate", id="express domain"),
        pytest.param("fargate", "domain: {name: a.example.com}", "has no certificate", "Ask", id="no certificate"),
        pytest.param(
            "app-runner", f'domain: {{name: a.example.com, certificate: "{CERTIFICATE}"}}', "makes its own", "Delete",
            id="App Runner's certificate",
        ),
        pytest.param(
            "fargate", f'domain: {{name: "https://a.b", certificate: "{CERTIFICATE}"}}', "no name of a host",
            "without scheme", id="a URL",
        ),
        pytest.param(
            "fargate", 'domain: {name: a.example.com, certificate: "mine"}', "no ARN of a certificate", "Copy",
            id="no certificate's ARN",
        ),
        pytest.param(
            "fargate", f'domain: {{name: a.example.com, certificate: "{CERTIFICATE.replace("eu-west", "us-east")}"}}',
            "is in us-east-1, and the environment in eu-west-1", "Ask for one in eu-west-1", id="another region",
        ),
        pytest.param("fargate", "leaving: fargate", "the runtime that the service has", "Name", id="leaving itself"),
        pytest.param("fargate", "leaving: lambda", "`leaving` is `lambda`", "Write one of", id="leaving nothing"),
        pytest.param(
            "fargate", "cpu: 8192, memory: 16384, leaving: app-runner", "does not offer cpu 8192 with memory 16384",
            "Keep a size", id="leaving with another size",
        ),
        pytest.param("app-runner", "private: true", "needs `endpoint`", "Add `endpoint`", id="private App Runner"),
        pytest.param("fargate", "private: 1", "`private` should be true or false", "Write `true`", id="private"),
        pytest.param("fargate", "permissions: ../web.json", "no policy of the program", "stacks/", id="permissions"),
    ],
)  # fmt: skip
def test_what_a_runtime_does_not_offer_is_one_finding_with_a_remedy(
    runtime: str, more: str, said: str, remedy: str
) -> None:
    [finding] = findings(settings_text({"web": more}, runtime=runtime, network=NETWORK))

    assert "config.release-controller:services.web" in finding
    assert said in finding
    assert remedy in finding


@pytest.mark.parametrize(
    ("network", "said"),
    [
        pytest.param("", "`web` is on Fargate, which needs `vpc` and `subnets`", id="none"),
        pytest.param("{vpc: vpc-0123456789abcdef0}", "which needs `subnets`", id="no subnets"),
        pytest.param(NETWORK.replace("vpc-", "vpv-"), "`vpc` is `vpv-0123456789abcdef0`, which is no VPC", id="vpc"),
        pytest.param("{vpc: vpc-0123456789abcdef0, subnets: [subnet-0123456789abcdef0]}", "has one subnet", id="one"),
        pytest.param(NETWORK.replace("def1", "def0"), "names a subnet twice", id="twice"),
        pytest.param(NETWORK.replace("subnet-", "net-"), "which is no subnet", id="subnet"),
        pytest.param(NETWORK.replace("}", ", security_groups: [web]}"), "which is no security group", id="group"),
        pytest.param(NETWORK.replace("}", ", nat: true}"), "`nat` is not a key here", id="key"),
    ],
)
def test_a_network_that_a_service_cannot_run_in_is_refused(network: str, said: str) -> None:
    assert said in "\n".join(findings(settings_text({"web": ""}, runtime="fargate", network=network)))


def test_two_services_that_lack_the_same_are_both_told() -> None:
    assert len(findings(settings_text({"web": "", "api": ""}, runtime="fargate"))) == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param("app-runner", "app-runer", "did you mean `app-runner`?", id="runtime"),
        pytest.param("eu-west-1", "europe", "which is no AWS region", id="region"),
        pytest.param("  aws:region: eu-west-1\n", "", "`aws:region` is missing", id="no region"),
        pytest.param("[]", "[nobody]", "`nobody`, which is no address", id="address"),
        pytest.param("[]", "[a@b.example, a@b.example]", "names `a@b.example` twice", id="address twice"),
        pytest.param(
            "  aws", "  release-controller:backend: nowhere\n  aws", "`nowhere`, which is no URL", id="backend"
        ),
        pytest.param("config:", "extra: 1\nconfig:", "`extra` is not a key here", id="key beside config"),
        pytest.param("web:", "Web_1:", "is no name for a service", id="service's name"),
        pytest.param("web:", "web-in-all-its-beauty:", "Shorten the service's name by 8 characters.", id="long name"),
    ],
)
def test_a_wrong_file_is_refused_in_plain_words(old: str, new: str, said: str) -> None:
    [finding] = findings(settings_text({"web": ""}).replace(old, new, 1))

    assert said in finding


def test_whether_a_name_is_too_long_depends_on_the_environment() -> None:
    text = settings_text({"web-service": ""})  # 11 characters; production leaves 10

    assert parse(text, "staging").services
    assert "Shorten the service's name by 1 " in findings(text, "production")[0]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    more = (
        'cpu: 256, memory: 4096, port: 0, health_path: up, variables: {PORT: "1", N: 1}, alarms: {errors_percent: -1}'
    )
    text = settings_text({"a-service-with-a-long-name": more, "web": "cpus: 1"}, email="[nobody]")

    found = "\n".join(findings(text))
    for key in ("memory", "port", "health_path", "PORT", "N", "errors_percent", "cpus", "email.0", "too long"):
        assert key in found
    assert len(findings(text)) == 9


@pytest.mark.parametrize("arguments", [pytest.param([], id="text"), pytest.param(["--json"], id="json")])
def test_the_command_prints_findings_and_exits_with_2(tmp_path: Path, arguments: list[str]) -> None:
    file = tmp_path / "Pulumi.staging.yaml"
    file.write_text(settings_text({"web": "port: 0"}))
    done = command(str(file), *arguments)

    assert done.returncode == 2
    assert "`port` is 0" in done.stdout
    if arguments:
        [finding] = json.loads(done.stdout)["findings"]
        assert set(finding) == {"rule", "where", "message", "remedy"}


def test_the_command_says_ok_for_a_good_file(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.staging.yaml"
    file.write_text(settings_text({"web": ""}))
    done = command(str(file))

    assert (done.returncode, done.stdout) == (0, "ok\n")


def test_settings_are_judged_without_anything_that_could_ask_the_cloud() -> None:
    loaded = "import sys, stacks.settings; print(sorted({'pulumi', 'pulumi_aws', 'boto3', 'httpx'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", loaded], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout == "[]\n"


def test_the_schema_in_docs_is_the_current_one() -> None:
    path = PROJECT_ROOT / "docs/settings.schema.json"

    assert command("--schema", "--check", str(path)).returncode == 0


def test_an_outdated_schema_is_found(tmp_path: Path) -> None:
    path = tmp_path / "settings.schema.json"
    path.write_text(schema().replace("8000", "8001"))

    assert command("--schema", "--check", str(path)).returncode == 1


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stacks.settings", *arguments],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def ignoring(*rules: str) -> str:
    """Settings of one service with these ignore rules."""
    lines = "".join(f"      - {{{rule}}}\n" for rule in rules)
    return settings_text({"web": ""}) + f"  release-controller:drift:\n    ignore:\n{lines}"


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param('resource: web-latency, property: threshold, reason: "tuned"', id="a name"),
        pytest.param('resource: "*:Topic::*", property: "", reason: "theirs"', id="a whole type"),
        pytest.param('resource: "*", property: "tags.*", reason: "finance"', id="tags of everything"),
        pytest.param('resource: "*", property: \'tags["a.b"]\', reason: "finance"', id="a quoted key"),
        pytest.param('resource: "*:Service::web", property: healthCheckConfiguration, reason: "x"', id="of a service"),
    ],
)
def test_a_rule_about_what_no_release_writes_is_accepted(rule: str) -> None:
    assert parse(ignoring(rule)).drift.ignore[0].reason


@pytest.mark.parametrize(
    ("rule", "said", "remedy"),
    [
        pytest.param("resource: web, property: tags", "`reason` is missing", "Add", id="no reason"),
        pytest.param('resource: web, property: tags, reason: " "', "`reason` is empty", "Say it", id="empty reason"),
        pytest.param('resource: "", property: tags, reason: x', "`resource` is empty", "Say it", id="no resource"),
        pytest.param("resource: web, reason: x", "`property` is missing", "Add", id="no property"),
        pytest.param("resource: x, property: team-*, reason: x", "no path of a property", "whole step", id="no step"),
        pytest.param('resource: "*", property: "", reason: x', "every release writes", "Name the type", id="all"),
        pytest.param("resource: web, property: '', reason: x", "every release writes", "Name the type", id="web"),
        pytest.param("resource: web, property: '*', reason: x", "every release writes", "Name the type", id="a star"),
        pytest.param(
            "resource: 'aws:apprunner/*::*', property: sourceConfiguration.imageRepository, reason: x",
            "every release writes", "Name the type", id="the image",
        ),
        pytest.param(
            "resource: w*b, property: sourceConfiguration.autoDeploymentsEnabled, reason: x",
            "every release writes", "Name the type", id="beside the image",
        ),
    ],
)  # fmt: skip
def test_a_rule_that_says_nothing_or_would_leave_the_image_alone_is_refused(rule: str, said: str, remedy: str) -> None:
    [finding] = findings(ignoring(rule))

    assert said in finding
    assert remedy in finding
    assert finding.startswith("Pulumi.staging.yaml:")
