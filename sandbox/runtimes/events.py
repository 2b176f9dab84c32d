"""Events of the runtimes, brought to the rules that want them.

Comes in: what a runtime tells under its own source, `aws.ecs` or `aws.apprunner`. Goes out: the event at the targets
of every rule that matches. ministack's PutEvents refuses sources of AWS from outside, as AWS does, so the rules are
asked here one by one, by its own TestEventPattern, and their SNS targets get the message. Others are passed over.
"""

import asyncio
import datetime
import json
import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.runtimes.aws import session

_KEPT = 1_000  # events that wait for EventBridge to come back
_log = logging.getLogger(__name__)
Event = Mapping[str, Any]


class Events:
    """`tell` at any time, `flush` now and then: they arrive in the order in which they were told."""

    def __init__(self, endpoint: str, region: str, account: str) -> None:
        self._rules = session(region).client("events", endpoint_url=endpoint)
        self._topics = session(region).client("sns", endpoint_url=endpoint)
        self._region, self._account = region, account
        self._waiting: list[Event] = []
        self._flushing = asyncio.Lock()

    def tell(self, source: str, kind: str, resources: Sequence[str], detail: Mapping[str, object]) -> None:
        """Something happened, just now."""
        now = datetime.datetime.now(datetime.UTC)
        self._waiting.append({
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": kind,
            "source": source,
            "account": self._account,
            "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self._region,
            "resources": list(resources),
            "detail": dict(detail),
        })  # fmt: skip

    async def flush(self) -> None:
        """Bring what waits. What cannot be brought waits for the next time."""
        async with self._flushing:
            while self._waiting:
                try:
                    await asyncio.to_thread(self._bring, self._waiting[0])
                except (BotoCoreError, ClientError) as error:
                    _log.warning("bringing an event: %s", error)
                    self._waiting = self._waiting[-_KEPT:]
                    return
                self._waiting.pop(0)

    def _bring(self, event: Event) -> None:
        # Everything is asked before anything is sent: what is asked again has not been sent before.
        targets = [
            target
            for rule in self._matching(event)
            for target in self._rules.list_targets_by_rule(Rule=rule)["Targets"]
        ]
        for target in targets:
            if ":sns:" not in target["Arn"]:
                _log.warning("a target that is no topic is passed over: %s", target["Arn"])
                continue
            try:
                self._topics.publish(TopicArn=target["Arn"], Message=message(target, event))
            except (BotoCoreError, ClientError) as error:  # a topic that is gone: EventBridge drops that, too
                _log.warning("publishing to %s: %s", target["Arn"], error)

    def _matching(self, event: Event) -> Iterator[str]:
        for page in self._pages():
            for rule in page:
                pattern = rule.get("EventPattern")
                if pattern and rule.get("State") == "ENABLED":
                    said = self._rules.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))
                    if said["Result"]:
                        yield rule["Name"]

    def _pages(self) -> Iterator[Sequence[Mapping[str, Any]]]:
        answer = self._rules.list_rules()
        yield answer["Rules"]
        while token := answer.get("NextToken"):
            answer = self._rules.list_rules(NextToken=token)
            yield answer["Rules"]


def message(target: Mapping[str, Any], event: Event) -> str:
    """What a target gets: its own input, a transformed one, or the whole event."""
    if "Input" in target:
        return str(target["Input"])
    if "InputTransformer" in target:
        return _transformed(target["InputTransformer"], event)
    if "InputPath" in target:
        return json.dumps(_at(event, target["InputPath"]))
    return json.dumps(event)


def _transformed(transformer: Mapping[str, Any], event: Event) -> str:
    text = str(transformer["InputTemplate"])
    for name, path in transformer.get("InputPathsMap", {}).items():
        value = _at(event, path)
        # In a template, a value stands inside quotes or alone; JSON without its own quotes fits both for plain text.
        shown = json.dumps(value)[1:-1] if isinstance(value, str) else json.dumps(value)
        text = text.replace(f"<{name}>", shown)
    return text


def _at(event: Event, path: str) -> Any:
    """The value at a JSON path of names and positions, None when there is none."""
    value: Any = event
    for step in path.removeprefix("$").strip(".").replace("[", ".").replace("]", "").split("."):
        if not step:
            continue
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
