"""Live: asks a running App Runner service, its alarms, its logs and its addresses what is true.

Comes in: what the program declares of a service. Goes out: an Observation. A question that gets no answer is
written into `unasked` with its cause: nothing is guessed, nothing is changed, nothing is judged here.
"""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx

from releasectl.edges import aws
from releasectl.errors import ControllerError
from releasectl.outputs import Service
from releasectl.verify import Answer, Observation, Operation

INTERVAL = 0.5  # seconds between two health checks while a service is watched
LOG_LINES = 20
_IN_PROGRESS = "OPERATION_IN_PROGRESS"
# A failing deployment with its rollback takes more than 15 minutes (aws/apprunner-roadmap#147).
PATIENCE = 25 * 60.0


@dataclass(frozen=True)
class Live:
    """The services of the account that the credentials belong to."""

    def observe(self, region: str, service: Service, *, watch: float) -> Observation:
        """One service now; its health for `watch` seconds, at least one check."""
        seen = Observation(at=datetime.now(UTC))
        if not service.service:
            return replace(seen, unasked=(f"describing the service of {service.repository}: it was never made",))
        questions: tuple[Callable[[Observation], Observation], ...] = (
            functools.partial(_runtime, region, service),
            functools.partial(_health, service, watch),
            functools.partial(_version, service),
            functools.partial(_alarms, region, service),
            functools.partial(_log, region, service),
        )
        for ask in questions:
            try:
                seen = ask(seen)
            except ControllerError as error:
                seen = replace(seen, unasked=(*seen.unasked, error.message))
        return seen


def _runtime(region: str, service: Service, seen: Observation) -> Observation:
    """DescribeService and the newest operation, once no operation is under way any more."""
    client = aws.session(region).client("apprunner", config=aws.CONFIG)
    deadline = time.monotonic() + PATIENCE
    with aws.asking(f"describing {service.service}"):
        while True:
            described = client.describe_service(ServiceArn=service.service)["Service"]
            if described["Status"] != _IN_PROGRESS or time.monotonic() > deadline:
                break
            time.sleep(1.0)
        newest = client.list_operations(ServiceArn=service.service, MaxResults=1)["OperationSummaryList"]
    image = described["SourceConfiguration"].get("ImageRepository", {}).get("ImageIdentifier", "")
    operation = next((Operation(item["Id"], item["Type"], item["Status"]) for item in newest), None)
    return replace(seen, status=described["Status"], digest=image.rpartition("@")[2], operation=operation)


def _health(service: Service, watch: float, seen: Observation) -> Observation:
    if not service.url:
        return seen
    end = time.monotonic() + watch
    answers = [_check(service)]
    while time.monotonic() < end:
        time.sleep(INTERVAL)
        answers.append(_check(service))
    return replace(seen, answers=tuple(answers))


def _check(service: Service) -> Answer:
    try:
        return Answer(_get(f"{service.url}{service.health_path}").status_code)
    except httpx.HTTPError as error:
        return Answer(None, str(error) or type(error).__name__)


def _version(service: Service, seen: Observation) -> Observation:
    """The version endpoint's answer, None when there is none: not every service has one."""
    if not service.url or not service.version_path:
        return seen
    try:
        answer = _get(f"{service.url}{service.version_path}")
        said = answer.json() if answer.is_success else {}
    except (httpx.HTTPError, ValueError):
        return seen
    if not isinstance(said, dict):
        return seen
    return replace(seen, version={str(key): str(value) for key, value in said.items()})


def _alarms(region: str, service: Service, seen: Observation) -> Observation:
    if not service.alarms:
        return seen
    client = aws.session(region).client("cloudwatch", config=aws.CONFIG)
    with aws.asking(f"asking for the alarms of {service.service}"):
        found = client.describe_alarms(AlarmNames=list(service.alarms))["MetricAlarms"]
    return replace(seen, alarms={alarm["AlarmName"]: alarm["StateValue"] for alarm in found})


def _log(region: str, service: Service, seen: Observation) -> Observation:
    """The newest instance's last lines; a log that cannot be read says so and decides nothing."""
    name, identifier = service.service.split("/")[-2:]
    group = f"/aws/apprunner/{name}/{identifier}/application"
    try:
        with aws.asking(f"reading {group}"):
            return replace(seen, log=_last_lines(region, group))
    except ControllerError as error:
        return replace(seen, log=(f"(no log: {error.message})",))


def _last_lines(region: str, group: str) -> tuple[str, ...]:
    """Of the stream that began last: the old instance may still be writing to its own."""
    client = aws.session(region).client("logs", config=aws.CONFIG)
    try:
        found = client.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True, limit=50)
    except client.exceptions.ResourceNotFoundException:
        return ()
    streams = sorted(found["logStreams"], key=lambda stream: stream.get("creationTime", 0))
    if not streams:
        return ()
    events = client.get_log_events(
        logGroupName=group, logStreamName=streams[-1]["logStreamName"], limit=LOG_LINES, startFromHead=False
    )
    return tuple(event["message"] for event in events["events"])


@functools.cache
def _client() -> httpx.Client:
    """One connection pool; certificates are checked, SSL_CERT_FILE is honoured."""
    return httpx.Client(timeout=10.0, follow_redirects=False)


def _get(url: str) -> httpx.Response:
    return _client().get(url, headers={"User-Agent": "releasectl"})
