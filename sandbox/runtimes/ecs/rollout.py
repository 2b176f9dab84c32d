"""One deployment of a service, from its first task to its end: successful, stopped, or rolled back.

Comes in: a deployment that is written down, the task sets of the service. Goes out: the same deployment, step by step,
and the service as it is after it. New tasks are started and proven, traffic moves in the strategy's steps, old tasks
drain and stop. A circuit breaker, alarms or a person may end it at any moment.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from sandbox.runtimes.ecs.context import Context
from sandbox.runtimes.ecs.steps import SHIFTING, Step, steps, threshold, weights
from sandbox.runtimes.ecs.task_set import TaskSet
from sandbox.runtimes.ecs.values import Revision, Rollback, Rollout, Service

BREAKER = "ECS deployment circuit breaker"
Watch = Callable[[], Awaitable["Trouble"]]


@dataclass(eq=False)
class Trouble(Exception):
    """Why a deployment does not go on. `short` is what the failed one shows, `reason` what the whole ends with."""

    short: str
    reason: str
    rolls_back: bool
    alarms: tuple[str, ...] = ()


class Run:
    """`sets` answers the task set of a revision; `watches` are who may stop it while it goes on."""

    def __init__(
        self, context: Context, rollout: str, sets: Callable[[str], TaskSet], watches: tuple[Watch, ...] = ()
    ) -> None:
        self._context, self._arn, self._sets, self._watches = context, rollout, sets, watches

    @property
    def rollout(self) -> Rollout:
        return self._context.store.rollouts[self._arn]

    @property
    def service(self) -> Service:
        return self._context.store.services[self.rollout.service]

    async def go(self) -> None:
        """All of it, or what is left of it after a restart of this process."""
        context = self._context
        if self.rollout.rollback:
            await self._roll_back()
            return
        began = context.step(self._arn, status="IN_PROGRESS", started=self.rollout.started or time.time())
        context.tell(began, "IN_PROGRESS", f"ECS deployment {began.id} in progress.")
        try:
            await self._guarded(self._forward())
        except Trouble as trouble:
            await self._failed(trouble)
        else:
            await self._succeeded()

    async def _forward(self) -> None:
        rollout = self.rollout
        new = self._sets(rollout.target)
        if rollout.desired:
            self._context.step(self._arn, stage="SCALE_UP")
            new.start()
            await self._well(new)
        self._take_over(rollout)
        for step in steps(rollout.configuration) if rollout.sources else [Step(100.0, 0)]:
            stage = "BAKE_TIME" if step.share >= 100 else "PRODUCTION_TRAFFIC_SHIFT"
            self._shift(step.share, stage)
            if rollout.strategy not in SHIFTING:
                await self._stop_others()
            minutes = max(step.minutes, await self._alarm_minutes() if rollout.strategy not in SHIFTING else 0)
            await asyncio.sleep(minutes * self._context.around.pace.minute)
        self._context.step(self._arn, stage="CLEAN_UP")
        await self._stop_others()

    async def _well(self, new: TaskSet) -> None:
        """Until the new revision is well. Raises Trouble when the circuit breaker trips before."""
        most = threshold(self.rollout.configuration, self.rollout.desired)
        while not new.healthy:
            new.changed.clear()
            self._context.step(self._arn, failures=new.failures)
            if most is not None and new.failures >= most:
                raise Trouble(
                    f"{BREAKER}: tasks failed to start.",
                    "the circuit breaker threshold was exceeded.",
                    bool(self.rollout.configuration["deploymentCircuitBreaker"].get("rollback")),
                )
            await new.changed.wait()

    def _take_over(self, rollout: Rollout) -> None:
        """Write down which digest runs."""
        store = self._context.store
        revision, new = store.revisions[rollout.target], self._sets(rollout.target)
        instance = new.instance
        if instance:
            image = {
                "containerName": new.plan.container,
                "image": new.plan.workload.image,
                "imageDigest": instance.image,
            }
            store.revisions[revision.arn] = replace(revision, images=(image,))
            store.save()

    def _shift(self, share: float, stage: str) -> None:
        """Give the new revision its share of production traffic."""
        rollout = self.rollout
        old = rollout.sources[0] if rollout.sources else ""
        shares = {rollout.target: share} | ({old: 100 - share} if old else {})
        self._context.step(self._arn, stage=stage, shares=shares)
        self._weigh(rollout.target, old, share)

    def _weigh(self, new: str, old: str, share: float) -> None:
        """In the load balancer, where the service has a rule for it."""
        advanced = self.service.balancer.get("advancedConfiguration") or {}
        rule = advanced.get("productionListenerRule")
        if not rule or not self._revision(new).group:
            return
        groups = (self.service.balancer.get("targetGroupArn"), advanced.get("alternateTargetGroupArn"))
        wanted = self._revision(new).group
        other = self._revision(old).group if old else next((group for group in groups if group != wanted), "")
        self._context.door.book.weigh(rule, weights(wanted, str(other or ""), share))

    async def _stop_others(self) -> None:
        rollout = self.rollout
        why = f"Scaling activity initiated by (deployment {rollout.id})"
        await asyncio.gather(*(self._sets(arn).stop(why) for arn in rollout.sources if self._sets(arn).running))

    async def _alarm_minutes(self) -> float:
        names = self._alarm_names()
        return await self._context.alarms.minutes(names) if names else 0.0

    def _alarm_names(self) -> list[str]:
        alarms = self.rollout.configuration.get("alarms") or {}
        return list(alarms.get("alarmNames", ())) if alarms.get("enable") else []

    async def _alarmed(self) -> Trouble:
        """Waits for an alarm."""
        names = await self._context.alarms.first(self._alarm_names())
        return Trouble(
            "ECS deployment failed: alarm detected.",
            "the deployment alarms were triggered.",
            bool(self.rollout.configuration["alarms"].get("rollback")),
            tuple(names),
        )

    async def _guarded(self, work: Awaitable[None]) -> None:
        """`work`, unless somebody who watches ends it before. Raises Trouble."""
        doing = asyncio.ensure_future(work)
        watches = [*self._watches, *([self._alarmed] if self._alarm_names() else [])]
        watching = [asyncio.ensure_future(watch()) for watch in watches]
        try:
            await asyncio.wait({doing, *watching}, return_when=asyncio.FIRST_COMPLETED)
            for watch in watching:
                if watch.done():
                    raise watch.result()
            await doing
        finally:
            for each in (doing, *watching):
                each.cancel()
            await asyncio.gather(doing, *watching, return_exceptions=True)

    async def _succeeded(self) -> None:
        rollout, context = self.rollout, self._context
        context.keep(replace(self.service, revision=rollout.target))
        context.say(rollout.service, f"(deployment {rollout.id}) deployment completed.")
        context.say(rollout.service, "has reached a steady state.")
        await self._end("SUCCESSFUL", "")
        context.tell(rollout, "COMPLETED", f"ECS deployment {rollout.id} completed.")

    async def _failed(self, trouble: Trouble) -> None:
        rollout, context = self.rollout, self._context
        context.say(rollout.service, f"(deployment {rollout.id}) deployment failed: {trouble.short}")
        context.step(self._arn, triggered=trouble.alarms)
        before = self.service.revision
        if trouble.rolls_back and before:
            rollback = Rollback(f"Service deployment rolled back because {trouble.reason}", time.time(), before)
            context.step(self._arn, status="ROLLBACK_IN_PROGRESS", rollback=rollback, reason=trouble.short)
            context.tell(rollout, "FAILED", trouble.short)
            await self._roll_back()
            return
        new = self._sets(rollout.target)
        if not before or self._sets(before).running or not new.healthy:
            self._weigh_back(before)
            await new.stop(f"Task stopped because of failed (deployment {rollout.id})")
        else:  # the old tasks are gone already, so the new ones stay
            context.keep(replace(self.service, revision=rollout.target))
        context.tell(rollout, "FAILED", trouble.short)
        if trouble.rolls_back:
            await self._end("ROLLBACK_FAILED", "No rollback candidate was found to run the rollback.")
        else:
            await self._end("STOPPED", f"Service deployment stopped because {trouble.reason}")

    async def _roll_back(self) -> None:
        """The old revision serves again, then the new one goes."""
        context, rollout = self._context, self.rollout
        rollback = rollout.rollback
        if rollback is None:
            return
        old, revision = self._sets(rollback.revision), self._revision(rollback.revision)
        context.keep(replace(self.service, definition=revision.definition))
        back = next(
            (each for each in context.store.rollouts_of(rollout.service) if each.target == revision.arn), rollout
        )
        context.tell(back, "IN_PROGRESS", f"{BREAKER}: rolling back to deploymentId {back.id}.")
        if rollout.desired:
            old.start()
            self._weigh_back(revision.arn)
            while not old.healthy:
                old.changed.clear()
                await old.changed.wait()
        why = f"Task stopped because of failed (deployment {rollout.id})"
        await self._sets(rollout.target).stop(why)
        context.say(rollout.service, f"(deployment {back.id}) rolled back to deployment {back.id}.")
        await self._end("ROLLBACK_SUCCESSFUL", rollback.reason)
        context.tell(back, "COMPLETED", f"ECS deployment {back.id} completed.")

    def _weigh_back(self, old: str) -> None:
        if old:
            self._context.step(self._arn, shares={old: 100.0, self.rollout.target: 0.0})
            self._weigh(old, self.rollout.target, 100.0)

    async def _end(self, status: str, reason: str) -> None:
        await self._context.around.telemetry.flush()  # whoever sees the end finds the log lines that explain it
        now = time.time()
        ended = {"stopped": now} if status == "STOPPED" else {}
        self._context.step(self._arn, status=status, reason=reason, finished=now, **ended)

    def _revision(self, arn: str) -> Revision:
        return self._context.store.revisions[arn]
