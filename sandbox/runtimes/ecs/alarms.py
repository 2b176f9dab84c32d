"""The alarms that a deployment is stopped by, asked of CloudWatch again and again.

Comes in: names of alarms. Goes out: the first that goes to ALARM while somebody waits. One that is in ALARM from the
start is passed over until it was OK once, as on AWS. What cannot be asked is no alarm, and no proof that all is well.
"""

import asyncio
import logging
from collections.abc import Sequence

import boto3
from botocore.exceptions import BotoCoreError, ClientError

_PAUSE = 0.2  # seconds between two looks
_log = logging.getLogger(__name__)


class Alarms:
    """Asks at the endpoint that it is given and at no other."""

    def __init__(self, endpoint: str, region: str) -> None:
        self._cloudwatch = boto3.client(
            "cloudwatch",
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the sandbox's, known to everybody
        )

    async def first(self, names: Sequence[str]) -> list[str]:
        """Waits until some of `names` are in ALARM that were not before; for ever when none is."""
        ignored = set(await self._in_alarm(names))
        while True:
            await asyncio.sleep(_PAUSE)
            now = await self._in_alarm(names)
            ignored &= set(now)
            if triggered := [name for name in now if name not in ignored]:
                return triggered

    async def minutes(self, names: Sequence[str]) -> float:
        """How long these alarms take to see anything, the slowest of them, in minutes."""
        return max((await asyncio.to_thread(self._spans, names)), default=0.0)

    async def _in_alarm(self, names: Sequence[str]) -> list[str]:
        return await asyncio.to_thread(self._states, names)

    def _states(self, names: Sequence[str]) -> list[str]:
        try:
            answer = self._cloudwatch.describe_alarms(
                AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
        except (BotoCoreError, ClientError) as error:
            _log.warning("asking for alarms %s: %s", ", ".join(names), error)
            return []
        metric = [alarm["AlarmName"] for alarm in answer.get("MetricAlarms", ()) if alarm.get("StateValue") == "ALARM"]
        both = [alarm["AlarmName"] for alarm in answer.get("CompositeAlarms", ()) if alarm.get("StateValue") == "ALARM"]
        return metric + both

    def _spans(self, names: Sequence[str]) -> list[float]:
        try:
            alarms = self._cloudwatch.describe_alarms(AlarmNames=list(names)).get("MetricAlarms", ())
        except (BotoCoreError, ClientError) as error:
            _log.warning("asking for alarms %s: %s", ", ".join(names), error)
            return []
        return [alarm.get("Period", 60) * alarm.get("EvaluationPeriods", 1) / 60 for alarm in alarms]
