"""Pulumi.<environment>.yaml as a frozen, validated value: size, scaling, secrets, alarms of an environment.

Comes in: the file's bytes. Goes out: `Settings`, or InvalidFile with every finding at once. Never asks the cloud,
so that a pull request from anywhere can be checked. The controller must not import the program; it runs
`python -m stacks.settings FILE [--json]`: exit code 0 and "ok", or 2 and the findings.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationInfo, WithJsonSchema

from releasectl import document
from releasectl.document import shown, wrong
from releasectl.errors import Finding, InvalidFile
from releasectl.ignore import Rule, concerns, is_path, overlaps
from releasectl.release import ServiceName
from stacks import names

# Which MB of memory App Runner offers with how many CPU units (aws-cdk apprunner-alpha, `Memory`).
MEMORY = {
    256: (512, 1024),
    512: (1024,),
    1024: (2048, 3072, 4096),
    2048: (4096, 6144),
    4096: (8192, 10240, 12288),
}
# What every release writes whole: no property of it can be left as somebody made it by hand.
SERVICE, SOURCE = "aws:apprunner/service:Service", "sourceConfiguration"
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_BACKEND = re.compile(r"([a-z][a-z0-9+]*://\S+)?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_ENVIRONMENT = re.compile(r"([a-z][a-z0-9-]{0,30})?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = re.compile(r"AWSAPPRUNNER.*|RELEASE_.*|PORT")
_KEY = re.compile(r"(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?")
# Secrets Manager adds six characters to a name; a JSON key, stage and version may follow.
_SECRET = re.compile(
    r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[\w/+=.@-]+-[A-Za-z0-9]{6}(:[^:\s]*:[^:\s]*:[^:\s]*)?"
    r"|arn:aws[a-z-]*:ssm:[a-z0-9-]+:[0-9]{12}:parameter/[\w./-]+"
)


def _matches(pattern: re.Pattern[str], message: str, remedy: str) -> AfterValidator:
    def check(text: str) -> str:
        if pattern.fullmatch(text):
            return text
        raise wrong(f"is {shown(text)}, {message}", remedy)

    return AfterValidator(check)


def _pattern(pattern: re.Pattern[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^({pattern.pattern})$"})


def _between(low: int, high: int) -> AfterValidator:
    def check(number: float) -> float:
        if low <= number <= high:
            return number
        raise wrong(f"is {number}, outside {low} to {high}", f"Write a number from {low} to {high}.")

    return AfterValidator(check)


def _memory(memory: int, info: ValidationInfo) -> int:
    cpu = info.data.get("cpu")
    if cpu is None or memory in MEMORY[cpu]:
        return memory
    choices = ", ".join(f"{size}" for size in MEMORY[cpu])
    raise wrong(f"is {memory}, which App Runner does not offer with cpu {cpu}", f"Write one of: {choices}.")


def _not_under_min(most: int, info: ValidationInfo) -> int:
    least = info.data.get("min", 1)
    if most >= least:
        return most
    raise wrong(f"is {most}, less than `min`, {least}", f"Raise it to at least {least}, or lower `min`.")


def _path(text: str) -> str:
    if text.startswith("/") and not re.search(r"\s", text):
        return text
    raise wrong(f"is {shown(text)}, which is no path of a URL", "Begin it with `/`.")


def _optional_path(text: str) -> str:
    return _path(text) if text else text


def _free(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise wrong("is no name for a variable", "Use letters, digits and `_`, no digit first.")
    if _RESERVED.fullmatch(name):
        remedy = "Rename it; AWSAPPRUNNER*, RELEASE_* and PORT are set by App Runner and by the release."
        raise wrong("is a reserved variable", remedy)
    return name


def _apart(secrets: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
    twice = sorted(set(secrets) & set(info.data.get("variables", {})))
    if not twice:
        return secrets
    raise wrong(f"and `variables` both set {', '.join(map(shown, twice))}", "Delete it from one of the two.")


def _once(emails: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({email for email in emails if emails.count(email) > 1})
    if not twice:
        return emails
    raise wrong(f"names {', '.join(map(shown, twice))} twice", "Delete the repetition.")


def _said(text: str) -> str:
    if text.strip():
        return text
    raise wrong("is empty", "Say it in a few words.")


def _property(text: str) -> str:
    if is_path(text):
        return text
    raise wrong(
        f"is {shown(text)}, which is no path of a property",
        'Write one such as `tags.team` or `tags.*`, where `*` is a whole step, or `""` for every property.',
    )


def _keeps_the_image(drift: "Drift", info: ValidationInfo) -> "Drift":
    for rule in drift.ignore:
        for service in info.data.get("services", {}):
            if concerns(rule, SERVICE, service) and overlaps(rule, SOURCE):
                raise wrong(
                    f"ignores `{SOURCE}` of {shown(service)} by the rule for {shown(rule.resource)}, and every release "
                    "writes that, the image with it",
                    "Name the type of resource that you mean, or one of its other properties.",
                )
    return drift


Region = Annotated[
    str, _pattern(_REGION), _matches(_REGION, "which is no AWS region", "Write one such as `eu-west-1`.")
]
Backend = Annotated[
    str,
    _pattern(_BACKEND),
    _matches(_BACKEND, "which is no URL", 'Write one such as `s3://bucket?region=eu-west-1`, or `""`.'),
]
Email = Annotated[
    str, _pattern(_EMAIL), _matches(_EMAIL, "which is no address", "Write one such as `team@example.com`.")
]
Environment = Annotated[
    str,
    _pattern(_ENVIRONMENT),
    _matches(_ENVIRONMENT, "which is no environment", 'Name an environment such as `staging`, or `""`.'),
]
SecretArn = Annotated[
    str,
    _pattern(_SECRET),
    _matches(
        _SECRET,
        "which is no ARN of a secret or parameter",
        "Copy the full ARN from Secrets Manager (with its last six characters) or from Parameter Store.",
    ),
]
KeyArn = Annotated[
    str,
    _pattern(_KEY),
    _matches(_KEY, "which is no ARN of a KMS key", 'Copy the key\'s ARN, `arn:aws:kms:...:key/...`, or `""`.'),
]
Variable = Annotated[str, AfterValidator(_free)]
UrlPath = Annotated[str, AfterValidator(_path), WithJsonSchema({"type": "string", "pattern": "^/"})]


def _integer(low: int, high: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "integer", "minimum": low, "maximum": high})


Port = Annotated[int, _between(1, 65535), _integer(1, 65535)]
Instances = Annotated[int, _between(1, 25), _integer(1, 25)]
Concurrency = Annotated[int, _between(1, 200), _integer(1, 200)]
Percent = Annotated[float, _between(0, 100), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100})]
Milliseconds = Annotated[int, _between(1, 120_000), _integer(1, 120_000)]  # App Runner ends a request after 120 s


@dataclass(frozen=True)
class Alerts:
    """Who is told. Every address gets a mail to confirm before it gets an alert."""

    email: Annotated[tuple[Email, ...], AfterValidator(_once)] = ()


@dataclass(frozen=True)
class Scaling:
    """`min` and `max` instances; `concurrency` is how many requests one instance takes before another starts."""

    min: Instances = 1
    max: Annotated[Instances, AfterValidator(_not_under_min), Field(validate_default=True)] = 4
    concurrency: Concurrency = 80


@dataclass(frozen=True)
class Alarms:
    """Alarm above this share of 5xx answers, in percent, or this p95 latency, in milliseconds."""

    errors_percent: Percent = 2
    latency_p95_ms: Milliseconds = 2000


@dataclass(frozen=True)
class ServiceSettings:
    """How one service runs. `cpu` in units (1024 is one vCPU), `memory` in MB; `version_path` is "" if it has none.

    `secrets` maps variables to ARNs, `secrets_key` is the KMS key they are encrypted with, if it is your own.
    `registry` names the environment whose image repository is used; "" is an own one.
    """

    runtime: Literal["app-runner"]
    cpu: Literal[256, 512, 1024, 2048, 4096] = 1024
    memory: Annotated[int, AfterValidator(_memory), Field(validate_default=True)] = 2048
    port: Port = 8000
    health_path: UrlPath = "/healthz"
    version_path: Annotated[str, AfterValidator(_optional_path)] = "/version"
    scaling: Scaling = Scaling()
    variables: Mapping[Variable, str] = field(default_factory=dict)
    secrets: Annotated[Mapping[Variable, SecretArn], AfterValidator(_apart)] = field(default_factory=dict)
    secrets_key: KeyArn = ""
    alarms: Alarms = Alarms()
    registry: Environment = ""


@dataclass(frozen=True)
class Ignore(Rule):
    """A difference that nobody minds: no report tells it, no release and no drift fix takes it back.

    `resource` is a glob over a resource's name in the program, or over `type::name`; `property` a path that covers
    all below it and whose `*` stands for one whole step; "" is every property.
    """

    resource: Annotated[str, AfterValidator(_said)]
    property: Annotated[str, AfterValidator(_property)]
    reason: Annotated[str, AfterValidator(_said)]


@dataclass(frozen=True)
class Drift:
    """What may differ from the program."""

    ignore: tuple[Ignore, ...] = ()


@dataclass(frozen=True)
class Settings:
    """What is below `config:`. An empty `backend` is the one the Pulumi CLI is logged in to."""

    region: Annotated[Region, Field(alias="aws:region")]
    services: Annotated[Mapping[ServiceName, ServiceSettings], Field(alias=f"{names.PROJECT}:services")]
    backend: Annotated[Backend, Field(alias=f"{names.PROJECT}:backend")] = ""
    alerts: Annotated[Alerts, Field(alias=f"{names.PROJECT}:alerts")] = Alerts()
    drift: Annotated[Drift, AfterValidator(_keeps_the_image), Field(alias=f"{names.PROJECT}:drift")] = Drift()


@dataclass(frozen=True)
class SettingsFile:
    """The whole file; Pulumi itself writes the keys beside `config`."""

    config: Settings
    encryptionsalt: str = ""
    secretsprovider: str = ""
    encryptedkey: str = ""


def parse_settings(path: str, raw: bytes, environment: str) -> Settings:
    """The settings of `environment` in the bytes of a file. Raises InvalidFile with every finding."""
    findings: list[Finding] = []
    settings = None
    try:
        settings = document.parse(path, raw, SettingsFile, every_scalar_is_text=False).config
    except InvalidFile as invalid:
        findings += invalid.findings
    findings += _in_this_environment(path, raw, environment)
    if settings is None or findings:
        raise InvalidFile(path, findings)
    return settings


def environment_of(path: Path) -> str:
    """The environment a settings file is for: `Pulumi.staging.yaml` -> `staging`."""
    return path.name.removeprefix("Pulumi.").removesuffix(".yaml")


def schema() -> str:
    """The JSON schema of the file, for editors: docs/settings.schema.json."""
    described = TypeAdapter(SettingsFile).json_schema()
    for mapping in (described, *described["$defs"].values()):
        mapping["additionalProperties"] = False  # as `document` judges; pydantic knows it only when validating
    return json.dumps(described, indent=2, sort_keys=True) + "\n"


def _in_this_environment(path: str, raw: bytes, environment: str) -> Iterator[Finding]:
    """What the file alone cannot show: names that become too long with the environment's, a registry of its own."""
    try:
        loaded = document.load(path, raw, every_scalar_is_text=False)
    except InvalidFile:
        return  # its form is wrong, and the caller has said so
    key = f"{names.PROJECT}:services"
    config = loaded.data.get("config")
    services = config.get(key) if isinstance(config, dict) else None
    for service, values in services.items() if isinstance(services, dict) else ():
        line, column = loaded.places["config", key, service]
        where = f"{path}:{line}:{column} config.{key}.{service}"
        place = names.Place(environment, service)
        excess = max(len(place.name) - names.LONGEST_SERVICE, len(place.scaling_name) - names.LONGEST_SCALING)
        if excess > 0:
            message = f"{shown(service)} makes names too long for App Runner, such as {shown(place.name)}"
            yield Finding("file", where, message, f"Shorten the service's name by {excess} characters.")
        if isinstance(values, dict) and values.get("registry") == environment:
            message = f"`registry` of {shown(service)} is this environment itself"
            yield Finding("file", where, message, "Delete the key; an own repository is the default.")


def _print(findings: Iterable[Finding], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"findings": [asdict(finding) for finding in findings]}))
    else:
        print("\n".join(map(str, findings)) or "ok")


def _check(path: Path, *, as_json: bool) -> int:
    try:
        parse_settings(str(path), path.read_bytes(), environment_of(path))
    except InvalidFile as invalid:
        _print(invalid.findings, as_json=as_json)
        return 2
    _print((), as_json=as_json)
    return 0


def main(arguments: list[str]) -> int:
    """`FILE [--json]` checks a settings file; `--schema [--check FILE]` prints the JSON schema or compares it."""
    parser = argparse.ArgumentParser(prog="python -m stacks.settings", description=main.__doc__)
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of the file")
    parser.add_argument("--check", type=Path, metavar="FILE", help="with --schema: exit 1 if FILE is out of date")
    options = parser.parse_args(arguments)
    if options.schema and options.check:
        return 0 if options.check.read_text() == schema() else 1
    if options.schema:
        print(schema(), end="")
        return 0
    if not options.file:
        parser.error("name a settings file")
    return _check(options.file, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
