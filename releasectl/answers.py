"""Answers: what makes the template a team's own, and what the files say of it today.

Comes in: the files of the work tree. Goes out: the answers that they already give, and where in a settings file each
answer stands. It opens no file, edits nothing and judges nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from releasectl import codeowners, document, own_workflows, protection, target
from releasectl.pipeline import parse_pipeline
from releasectl.target import Reader

Files = Mapping[str, bytes]

PREFIX = "release-controller:"
SERVICES = ("config", f"{PREFIX}services")
NETWORK = ("config", f"{PREFIX}network")
ALERTS = ("config", f"{PREFIX}alerts")
REGION = ("config", "aws:region")
# The provider's own guard: it refuses to touch any other account, whatever credentials it is given.
ACCOUNT = ("config", "aws:allowedAccountIds")
_ON_GITHUB = (own_workflows.REVIEW, *own_workflows.BUILDING, *protection.PATHS)


@dataclass(frozen=True)
class Place:
    """The answers about one environment; what is empty was not answered. `runtimes` by service, "" for all."""

    account: str = ""
    region: str = ""
    runtimes: Mapping[str, str] = field(default_factory=dict)
    emails: tuple[str, ...] = ()
    sms: tuple[str, ...] = ()
    vpc: str = ""
    subnets: tuple[str, ...] = ()
    public_addresses: bool | None = None


@dataclass(frozen=True)
class Answers:
    """All answers. `repositories` by service, "" for all; `places` by environment.

    `github` is this repository there, `app` the number of the App that may commit to its main.
    """

    services: tuple[str, ...] = ()
    repositories: Mapping[str, str] = field(default_factory=dict)
    github: str = ""
    app: str = ""
    owners: tuple[str, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict)


def read(tree: Reader, commit: str) -> dict[str, bytes]:
    """Every file that init may edit. Raises MissingFile, InvalidFile."""
    pipeline = target.read_pipeline(tree, commit)
    files: dict[str, bytes] = {}
    for environment in pipeline.environments:
        files |= target.read_target(tree, commit, environment.name).files
    optional = {path: tree.read(commit, path) for path in (target.PIPELINE, *codeowners.PATHS, *_ON_GITHUB)}
    return files | {path: raw for path, raw in optional.items() if raw is not None}


def settings_of(raw: bytes, environment: str) -> Mapping[str, object]:
    """What a settings file says below `config:`, as plain data."""
    path = target.settings_path(environment)
    return mapping(document.load(path, raw, every_scalar_is_text=False).data.get("config"))


def present(files: Files) -> Answers:
    """What the files say today, in the form of answers: what a person is shown to begin with."""
    pipeline = parse_pipeline(target.PIPELINE, files[target.PIPELINE])
    places = {each.name: _place(files[target.settings_path(each.name)], each.name) for each in pipeline.environments}
    repositories = {name: source.repository for name, source in pipeline.services.items()}
    owned = next((codeowners.owners(files[path]) for path in codeowners.PATHS if path in files), ())
    whose = own_workflows.reviewer(files.get(own_workflows.REVIEW, b""))
    app = protection.app_of(files.get(protection.MAIN, b""))
    return Answers(tuple(pipeline.services), repositories, whose, app, owned, places)


def _place(raw: bytes, environment: str) -> Place:
    config = settings_of(raw, environment)
    network, alerts = mapping(config.get(NETWORK[1])), mapping(config.get(ALERTS[1]))
    public = network.get("public_addresses")
    return Place(
        account=next(iter(texts(config.get(ACCOUNT[1]))), ""),
        region=str(config.get(REGION[1], "")),
        runtimes={name: str(held.get("runtime", "")) for name, held in services_of(config).items()},
        emails=tuple(texts(alerts.get("email"))),
        sms=tuple(texts(alerts.get("sms"))),
        vpc=str(network.get("vpc", "")),
        subnets=tuple(texts(network.get("subnets"))),
        public_addresses=public if isinstance(public, bool) else None,
    )


def services_of(config: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    """Each service's settings; what is no mapping is for the check to tell."""
    return {name: held for name, held in mapping(config.get(SERVICES[1])).items() if isinstance(held, dict)}


def mapping(value: object) -> Mapping[str, object]:
    """The value, or an empty mapping where something else stands."""
    return value if isinstance(value, dict) else {}


def texts(value: object) -> list[str]:
    """The items of a list, or none where something else stands."""
    return [str(item) for item in value] if isinstance(value, list) else []
