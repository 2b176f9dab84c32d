"""A picture of everything that the oracle compares: git, the record, AWS's own answers, the engine's state.

Comes in: a Ground in fair weather. Goes out: frozen values. It asks AWS by boto3 and reads files; it never asks the
controller, whose word is what is to be proven.
"""

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import httpx
import yaml

from sandbox.remote import git
from tests.chaos import kills, processes
from tests.chaos.ground import Ground

Thing = tuple[str, str]  # type of the program, id in the cloud

SERVICE = "aws:apprunner/service:Service"
SCALING = "aws:apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion"
REPOSITORY = "aws:ecr/repository:Repository"
ROLE = "aws:iam/role:Role"
TOPIC = "aws:sns/topic:Topic"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
LISTED = (SERVICE, SCALING, REPOSITORY, ROLE, TOPIC, ALARM)


@dataclass(frozen=True)
class Serving:
    """One App Runner service by its own words; `answers` is the digest that the service itself names."""

    name: str
    status: str
    digest: str
    operations: tuple[tuple[str, str], ...]  # id, type; newest first
    answers: str


@dataclass(frozen=True)
class Picture:
    """Everything at one time."""

    main: str
    digest: str  # what main pins
    program: str
    rejected: frozenset[str]  # digests
    tip: str  # of the branch deployments
    records: dict[str, bytes]
    services: tuple[Serving, ...]
    cloud: frozenset[Thing]
    state: frozenset[Thing]
    unreadable: str  # why the state cannot be read, "" if it can
    pending: tuple[str, ...]
    locks: tuple[str, ...]
    processes: tuple[str, ...]


@dataclass(frozen=True)
class Growth:
    """What one commit did to one file of the branch deployments; `how` is git's letter."""

    path: str
    how: str
    before: bytes
    after: bytes


def take(ground: Ground) -> Picture:
    """Now."""
    remote = ground.sandbox.remote
    released = yaml.safe_load(git(remote, "show", "main:releases/staging.yaml"))
    state, unreadable = _checkpoint(ground)
    services = tuple(_services(ground))
    return Picture(
        main=ground.hand.head,
        digest=released["services"]["web"]["digest"],
        program=released["program"],
        rejected=frozenset(_rejected(ground)),
        tip=git(remote, "rev-parse", "deployments"),
        records=_files(ground, "deployments"),
        services=services,
        cloud=frozenset(_cloud(ground)),
        state=frozenset((each["type"], each["id"]) for each in state.get("resources", ()) if each["type"] in LISTED),
        unreadable=unreadable,
        pending=tuple(each["resource"]["urn"] for each in state.get("pending_operations") or ()),
        locks=tuple(path.name for path in kills.locks(ground)),
        processes=tuple(str(each) for each in processes.marked(str(ground.folder))),
    )


def grown(ground: Ground, old: str, new: str) -> tuple[Growth, ...]:
    """Every change of the branch between two tips, oldest first."""
    remote = ground.sandbox.remote
    raw = git(remote, "log", "--reverse", "--format=", "--raw", "--no-abbrev", "--no-renames", f"{old}..{new}")
    changes = [line.split() for line in raw.splitlines() if line.startswith(":")]
    return tuple(
        Growth(path, how, _blob(ground, before), _blob(ground, after))
        for _mode, _new_mode, before, after, how, path in changes
    )


def is_ancestor(ground: Ground, old: str, new: str) -> bool:
    """Is one tip part of the other's history?"""
    argv = ["git", "-C", str(ground.sandbox.remote), "merge-base", "--is-ancestor", old, new]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def _blob(ground: Ground, name: str) -> bytes:
    if not name.strip("0"):
        return b""
    argv = ["git", "-C", str(ground.sandbox.remote), "cat-file", "blob", name]
    return subprocess.run(argv, check=True, capture_output=True).stdout


def _files(ground: Ground, commit: str, *folders: str) -> dict[str, bytes]:
    argv = ["git", "-C", str(ground.sandbox.remote), "archive", "--format=tar", commit, *folders]
    done = subprocess.run(argv, check=False, capture_output=True)
    if done.returncode:  # the folder is not there
        return {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        read = {each.name: archive.extractfile(each) for each in archive.getmembers() if each.isfile()}
        return {name: stream.read() for name, stream in read.items() if stream}


def _rejected(ground: Ground) -> Iterator[str]:
    for text in _files(ground, "main", "releases/rejected").values():
        yield yaml.safe_load(text)["digest"]


def _checkpoint(ground: Ground) -> tuple[dict[str, Any], str]:
    """The newest one, or why it cannot be read."""
    path = ground.folder / "state/.pulumi/stacks/release-controller/staging.json"
    try:
        return json.loads(path.read_bytes())["checkpoint"]["latest"], ""
    except ValueError as error:
        return {}, f"{path.name}: {error}"


def _services(ground: Ground) -> Iterator[Serving]:
    client = _client(ground, "apprunner")
    for each in client.list_services()["ServiceSummaryList"]:
        arn = each["ServiceArn"]
        described = client.describe_service(ServiceArn=arn)["Service"]
        image = described["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"]
        yield Serving(
            described["ServiceName"],
            described["Status"],
            image.rpartition("@")[2],
            tuple(_operations(client, arn)),
            _answer(ground, each["ServiceUrl"]),
        )


def _operations(client: Any, arn: str) -> Iterator[tuple[str, str]]:
    more: dict[str, str] = {}
    while True:
        page = client.list_operations(ServiceArn=arn, **more)
        yield from ((each["Id"], each["Type"]) for each in page["OperationSummaryList"])
        if not page.get("NextToken"):
            return
        more = {"NextToken": page["NextToken"]}


def _answer(ground: Ground, url: str) -> str:
    try:
        return str(httpx.get(f"https://{url}/version", verify=ground.sandbox.tls()).json().get("digest", ""))
    except (httpx.HTTPError, ValueError) as error:
        return f"no answer: {error}"


def _cloud(ground: Ground) -> Iterator[Thing]:
    """All that a program can have made here: nobody else works in this account."""
    runner = _client(ground, "apprunner")
    yield from ((SERVICE, each["ServiceArn"]) for each in runner.list_services()["ServiceSummaryList"])
    scaling = runner.list_auto_scaling_configurations()["AutoScalingConfigurationSummaryList"]
    for each in scaling:
        if not each["IsDefault"] and each["Status"].lower() == "active":
            yield SCALING, each["AutoScalingConfigurationArn"]
    repositories = _client(ground, "ecr").describe_repositories()["repositories"]
    yield from ((REPOSITORY, each["repositoryName"]) for each in repositories)
    yield from ((ROLE, each["RoleName"]) for each in _client(ground, "iam").list_roles()["Roles"])
    yield from ((TOPIC, each["TopicArn"]) for each in _client(ground, "sns").list_topics()["Topics"])
    alarms = _client(ground, "cloudwatch").describe_alarms()["MetricAlarms"]
    yield from ((ALARM, each["AlarmName"]) for each in alarms)


def _client(ground: Ground, service: str) -> Any:
    given = ground.sandbox.variables
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=given.get(f"AWS_ENDPOINT_URL_{service.upper()}", given["AWS_ENDPOINT_URL"]),
        region_name=given["AWS_REGION"],
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
    )
