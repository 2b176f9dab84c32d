"""Pulumi.<environment>.yaml as a frozen, validated value: size, scaling, secrets, alarms of an environment.

Comes in: the file's bytes. Goes out: `Settings`, or InvalidFile with every finding at once. Never asks the cloud,
so that a pull request from anywhere can be checked. The controller must not import the program; it runs
`python -m stacks.settings FILE [--json]`: exit code 0 and "ok", or 2 and the findings.
"""

import argparse
import functools
import itertools
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, TypeAdapter, ValidationInfo

from releasectl import document
from releasectl.document import shown, wrong
from releasectl.errors import Finding, InvalidFile
from releasectl.ignore import Rule, concerns, is_path, overlaps
from releasectl.release import ServiceName
from stacks import fitting, names
from stacks.alert_settings import Alerts
from stacks.kinds import AccountId, Backend, BoundaryArn, Region, SecurityGroup, Subnet, Vpc, VpcEndpoint
from stacks.service_settings import ServiceSettings
from stacks.shape import WRITTEN


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
    """What every release writes whole cannot be left as somebody made it by hand."""
    for rule in drift.ignore:
        for service, (kind, path) in itertools.product(info.data.get("services", {}), WRITTEN):
            if concerns(rule, kind, service) and overlaps(rule, path):
                raise wrong(
                    f"ignores `{path}` of {shown(service)} by the rule for {shown(rule.resource)}, and every release "
                    "writes that, the image with it",
                    "Name the type of resource that you mean, or one of its other properties.",
                )
    return drift


def _two_or_none(subnets: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(subnets)) != len(subnets):
        raise wrong("names a subnet twice", "Delete the repetition.")
    if len(subnets) == 1:
        raise wrong("has one subnet", "Add one in another zone; one zone alone goes down with it.")
    return subnets


Subnets = Annotated[tuple[Subnet, ...], AfterValidator(_two_or_none)]


@dataclass(frozen=True)
class Network:
    """Where services run. App Runner needs none: with `subnets` it reaches what is in them.

    `subnets` are those of the instances, `load_balancer_subnets` those of the load balancers, [] for the same.
    `public_addresses` is for subnets without a NAT gateway: without either, no image can be pulled. `endpoint` is
    the VPC endpoint through which private App Runner services are reached.
    """

    vpc: Vpc = ""
    subnets: Subnets = ()
    load_balancer_subnets: Subnets = ()
    security_groups: tuple[SecurityGroup, ...] = ()
    public_addresses: bool = False
    endpoint: VpcEndpoint = ""


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


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is below `config:`. An empty `backend` is the one the Pulumi CLI is logged in to.

    `aws:allowedAccountIds` is the provider's own guard: it touches no other account. [] lets it touch any.
    `boundary` is the permissions boundary of every role that the environment makes; "" is none.
    """

    region: Annotated[Region, Field(alias="aws:region")]
    accounts: Annotated[tuple[AccountId, ...], Field(alias="aws:allowedAccountIds")] = ()
    backend: Annotated[Backend, Field(alias=f"{names.PROJECT}:backend")] = ""
    boundary: Annotated[BoundaryArn, Field(alias=f"{names.PROJECT}:boundary")] = ""
    alerts: Annotated[Alerts, Field(alias=f"{names.PROJECT}:alerts", default_factory=Alerts)]
    network: Annotated[Network, Field(alias=f"{names.PROJECT}:network")] = Network()
    services: Annotated[Mapping[ServiceName, ServiceSettings], Field(alias=f"{names.PROJECT}:services")]
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
    rule = functools.partial(fitting.misfits, environment)
    return document.parse(path, raw, SettingsFile, every_scalar_is_text=False, rule=rule).config


def environment_of(path: Path) -> str:
    """The environment a settings file is for: `Pulumi.staging.yaml` -> `staging`."""
    return path.name.removeprefix("Pulumi.").removesuffix(".yaml")


def schema() -> str:
    """The JSON schema of the file, for editors: docs/settings.schema.json."""
    described = TypeAdapter(SettingsFile).json_schema()
    for mapping in (described, *described["$defs"].values()):
        mapping["additionalProperties"] = False  # as `document` judges; pydantic knows it only when validating
    return json.dumps(described, indent=2, sort_keys=True) + "\n"


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
