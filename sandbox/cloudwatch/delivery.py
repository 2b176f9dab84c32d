"""Messages of alarms go to SNS topics, each once.

Comes in: the outbox. Goes out: Publish to the SNS of the sandbox, and an item of history for each. A message leaves
the outbox, on disk, before it is sent: a process that dies in between loses one and never sends one twice. What SNS
refuses is history and not tried again, as on AWS.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sandbox.cloudwatch import history
from sandbox.cloudwatch.notice import region_of
from sandbox.cloudwatch.store import Message, Store

if TYPE_CHECKING:
    from mypy_boto3_sns.client import SNSClient

_log = logging.getLogger(__name__)


class Delivery:
    """Sends what is in the outbox, the oldest first."""

    def __init__(self, store: Store, endpoint: str, clock: Callable[[], float]) -> None:
        self._store = store
        self._endpoint = endpoint
        self._clock = clock
        self._session = boto3.Session(
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the sandbox's
        )
        self._clients: dict[str, SNSClient] = {}

    async def send_all(self) -> None:
        while self._store.outbox:
            message = self._store.outbox.pop(0)
            self._store.save()
            problem = await asyncio.to_thread(self._send, message)
            if problem:
                _log.warning("%s: %s", message.subject, problem)
            self._store.note(history.acted(message.alarm, message.action, self._clock(), problem))
            self._store.save()

    def _send(self, message: Message) -> str:
        """What went wrong, or nothing."""
        if not message.action.startswith("arn:aws:sns:"):
            return "The sandbox's CloudWatch notifies SNS topics and does nothing else."
        sns = self._client(region_of(message.action))
        try:
            sns.publish(TopicArn=message.action, Subject=message.subject, Message=message.text)
        except (BotoCoreError, ClientError) as error:
            return str(error)
        return ""

    def _client(self, region: str) -> "SNSClient":
        if region not in self._clients:
            # An answer that is lost must not make it two messages, so boto3 may not try again.
            once = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=10)
            self._clients[region] = self._session.client("sns", region, endpoint_url=self._endpoint, config=once)
        return self._clients[region]
