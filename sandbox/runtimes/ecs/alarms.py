"""The alarms that a deployment is stopped by, asked of CloudWatch again and again.

Comes in: names of alarms. Goes out: the first that goes to ALARM while somebody waits. One that is in ALARM from the
start is passed over until it was OK once, as on AWS. What cannot be asked is no alarm, and no proof that all is well.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.runtimes.aws import session

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

_PAUSE = 0.2  # seconds between two looks
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def _passed_over(name: str) -> Iterator[None]:
    """CloudWatch's no about an alarm is told and holds nothing up."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        _log.warning("alarm %s: %s", name, error)


class Alarms:
    """Asks at the endpoint that it is given and at no other."""

    def __init__(self, endpoint: str, region: str) -> None:
        self._cloudwatch = session(region).client("cloudwatch", endpoint_url=endpoint)

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

    async def make(self, name: str, queries: "list[MetricDataQueryTypeDef]", threshold: float) -> None:
        """An alarm on an expression: over `threshold` in two of three minutes."""
        with _passed_over(name):
            await asyncio.to_thread(
                self._cloudwatch.put_metric_alarm,
                AlarmName=name, Metrics=queries, ComparisonOperator="GreaterThanThreshold", Threshold=threshold,
                EvaluationPeriods=3, DatapointsToAlarm=2, TreatMissingData="notBreaching",
                AlarmDescription="Managed by Amazon ECS: watches deployments of an Express Mode service.",
            )  # fmt: skip

    async def ring(self, name: str, reason: str) -> None:
        """Say ALARM of an alarm that somebody else evaluates."""
        with _passed_over(name):
            await asyncio.to_thread(
                self._cloudwatch.set_alarm_state, AlarmName=name, StateValue="ALARM", StateReason=reason
            )

    async def unmake(self, name: str) -> None:
        with _passed_over(name):
            await asyncio.to_thread(self._cloudwatch.delete_alarms, AlarmNames=[name])

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
