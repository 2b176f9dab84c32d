"""Live: asks a running service, its alarms, its logs and its addresses what is true.

Comes in: what the program declares of a service. Goes out: an Observation. What the service runs is asked in the
way of its runtime; the other questions are the same for all. A question that gets no answer is written into
`unasked` with its cause: nothing is guessed, nothing is changed, nothing is judged here.
"""

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

import httpx

from releasectl.edges import aws, live_app_runner, live_ecs
from releasectl.errors import ControllerError
from releasectl.outputs import Service
from releasectl.verify import Answer, Observation

INTERVAL = 0.5  # seconds between two health checks while a service is watched
# App Runner's failing deployment with its rollback takes more than 15 minutes (aws/apprunner-roadmap#147), and a
# canary of ECS goes back through its steps, too.
PATIENCE = 25 * 60.0
LOG_LINES = 20


class Runtime(Protocol):
    """How a runtime is asked what it runs."""

    def __call__(
        self, region: str, service: Service, seen: Observation, *, patience: float, poll: float
    ) -> Observation:
        """What it says, once nothing is under way or after `patience` seconds."""


RUNTIMES: Mapping[str, Runtime] = {
    "app-runner": live_app_runner.ask,
    "ecs-express": live_ecs.ask,
    "fargate": live_ecs.ask,
}


@dataclass(frozen=True)
class Live:
    """The services of the account that the credentials belong to; a runtime is asked every `poll` seconds."""

    patience: float = PATIENCE
    poll: float = 1.0

    def observe(self, region: str, service: Service, *, watch: float) -> Observation:
        """One service now; its health for `watch` seconds, at least one check."""
        seen = Observation(at=datetime.now(UTC), private=service.private)
        if not service.service:
            return replace(seen, unasked=(f"describing the service of {service.repository}: it was never made",))
        if service.runtime not in RUNTIMES:
            return replace(seen, unasked=(f"describing {service.service}: nobody here knows {service.runtime}",))
        known = RUNTIMES[service.runtime]
        word = functools.partial(known, region, service, patience=self.patience, poll=self.poll)
        questions: tuple[Callable[[Observation], Observation], ...] = (
            word,
            functools.partial(_health, service, watch) if not service.private else self._watched(word, watch),
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

    def _watched(
        self, word: Callable[[Observation], Observation], watch: float
    ) -> Callable[[Observation], Observation]:
        """The health of a service without a public address: its runtime is asked again, until it says no."""

        def ask(seen: Observation) -> Observation:
            end = time.monotonic() + watch
            while not seen.unasked and seen.serves is not False and time.monotonic() < end:
                time.sleep(self.poll)
                seen = word(seen)
            return seen

        return ask


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
        return Answer(_get(service, service.health_path).status_code)
    except httpx.HTTPError as error:
        return Answer(None, str(error) or type(error).__name__)


def _version(service: Service, seen: Observation) -> Observation:
    """The version endpoint's answer, None when there is none: not every service has one."""
    if service.private or not service.url or not service.version_path:
        return seen
    try:
        answer = _get(service, service.version_path)
        said = answer.json() if answer.is_success else {}
    except (httpx.HTTPError, ValueError):
        return seen
    if not isinstance(said, dict):
        return seen
    return replace(seen, version={str(key): str(value) for key, value in said.items()})


def _alarms(region: str, service: Service, seen: Observation) -> Observation:
    names = [name for name in service.alarms if name]  # of an alarm that is yet to be made there is none
    if not names:
        return seen
    client = aws.session(region).client("cloudwatch", config=aws.CONFIG)
    with aws.asking(f"asking for the alarms of {service.service}"):
        found = client.describe_alarms(AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    alarms = [*found.get("MetricAlarms", ()), *found.get("CompositeAlarms", ())]
    return replace(seen, alarms={alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms})


def _log(region: str, service: Service, seen: Observation) -> Observation:
    """The newest instance's last lines; a log that cannot be read says so and decides nothing."""
    is_app_runner = service.runtime == "app-runner"
    group = service.log_group or (live_app_runner.log_group(service) if is_app_runner else "")
    if not group:
        return replace(seen, log=("(no log: the program names no log group)",))
    try:
        with aws.asking(f"reading {group}"):
            stream = "" if is_app_runner else live_ecs.log_stream(service.runtime)
            return replace(seen, log=_last_lines(region, group, stream))
    except ControllerError as error:
        return replace(seen, log=(f"(no log: {error.message})",))


def _last_lines(region: str, group: str, stream: str) -> tuple[str, ...]:
    """Of the stream that began last: the old instance may still be writing to its own. `stream` is in its name."""
    client = aws.session(region).client("logs", config=aws.CONFIG)
    try:
        found = client.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True, limit=50)
    except client.exceptions.ResourceNotFoundException:
        return ()
    streams = [one for one in found["logStreams"] if stream in one["logStreamName"]]
    if not streams:
        return ()
    newest = max(streams, key=lambda one: one.get("creationTime", 0))
    events = client.get_log_events(
        logGroupName=group, logStreamName=newest["logStreamName"], limit=LOG_LINES, startFromHead=False
    )
    return tuple(event["message"] for event in events["events"])


@functools.cache
def _client() -> httpx.Client:
    """One connection pool; certificates are checked, SSL_CERT_FILE is honoured."""
    return httpx.Client(timeout=10.0, follow_redirects=False)


def _get(service: Service, path: str) -> httpx.Response:
    """One question. A name of the team's own is asked for where it will lead to: its DNS may not say so yet.

    The certificate has to be that of the name all the same.
    """
    url, headers = httpx.URL(f"{service.url}{path}"), {"User-Agent": "releasectl"}
    name, target = (service.domain.name, service.domain.target) if service.domain else ("", "")
    if not target or url.host != name:
        return _client().get(url, headers=headers)
    host, _, port = target.partition(":")
    there = url.copy_with(host=host, port=int(port) if port else url.port)
    return _client().get(there, headers={**headers, "Host": name}, extensions={"sni_hostname": name})
