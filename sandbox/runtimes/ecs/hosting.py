"""Runs one service: the task sets of its revisions, and the deployment that goes on.

Comes in: deployments to run, a desired count, the end. Goes out: task sets that are looked after. A deployment that
begins while another goes on takes its place: what was well until then stays until the newer one is.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine, Iterator
from dataclasses import replace

from sandbox.runtimes.ecs.context import Context
from sandbox.runtimes.ecs.metrics import usage_data
from sandbox.runtimes.ecs.plan import LISTENING, health_of, planned
from sandbox.runtimes.ecs.rollout import Run, Trouble, Watch
from sandbox.runtimes.ecs.task_set import TaskSet
from sandbox.runtimes.ecs.values import ENDED, Revision, Service, Task, new_id
from sandbox.runtimes.telemetry import Datum
from sandbox.runtimes.usage import Meter

_log = logging.getLogger(__name__)


class Hosting:
    """`watches` are further reasons to end a deployment; Express Mode has one of its own."""

    def __init__(self, context: Context, service: str, watches: tuple[Watch, ...] = ()) -> None:
        self._context, self._arn, self._watches = context, service, watches
        self._sets: dict[str, TaskSet] = {}
        self._running: asyncio.Task[None] | None = None
        self._stop: asyncio.Future[Trouble] | None = None
        self._meter: Meter | None = None
        context.around.telemetry.watch(service, self._read)

    @property
    def service(self) -> Service:
        return self._context.store.services[self._arn]

    async def prepare(self, revision: str) -> None:
        """Know how tasks of `revision` run. Raises Refusal when its target group is gone."""
        if revision not in self._sets:
            self._sets[revision] = await self._made(self._context.store.revisions[revision])

    def well(self, revision: str) -> bool:
        """Whether tasks of `revision` run and are well."""
        return revision in self._sets and self._sets[revision].healthy

    def serving(self) -> list[str]:
        """The revisions that have tasks now."""
        return [arn for arn, tasks in self._sets.items() if tasks.running]

    async def recover(self) -> None:
        """Bring back what served, then go on with the deployment that went on."""
        for task in self._context.store.tasks_of(self._arn):
            if task.status != "STOPPED":
                self._context.store.keep_task(replace(task, status="STOPPED", stopped=time.time(), healthy=None))
        service = self.service
        if service.revision:
            await self.prepare(service.revision)
            self.scale(service.desired)
        newest = next(iter(self._context.store.rollouts_of(self._arn)), None)
        if newest and newest.status not in ENDED:
            for revision in (*newest.sources, newest.target):
                await self.prepare(revision)
            self._go(newest.arn)

    def scale(self, desired: int) -> None:
        """Run tasks of what serves, or none."""
        tasks = self._sets.get(self.service.revision)
        if tasks and desired:
            tasks.start()
        elif tasks and tasks.running:
            self._later(tasks.stop("Scaling activity initiated by a change of the desired count"))

    async def begin(self, rollout: str) -> None:
        """Run a deployment. Another one that goes on is stopped first."""
        await self._supersede(rollout)
        for revision in self._context.store.rollouts[rollout].sources:
            await self.prepare(revision)
        await self.prepare(self._context.store.rollouts[rollout].target)
        self._go(rollout)

    def stop(self, *, rolls_back: bool) -> None:
        """Somebody wants the deployment that goes on to end."""
        if self._stop and not self._stop.done():
            short = "ECS deployment stopped by a request."
            self._stop.set_result(Trouble(short, "it was stopped by a request.", rolls_back))

    async def close(self) -> None:
        """End every task of this service; what goes on is recovered at the next start."""
        await self._cancel()
        self._context.around.telemetry.unwatch(self._arn)
        await asyncio.gather(*(tasks.stop("The sandbox was ended", drain=0.5) for tasks in self._sets.values()))

    def _go(self, rollout: str) -> None:
        self._running = asyncio.create_task(self._run(rollout))

    async def _run(self, rollout: str) -> None:
        self._stop = stop = asyncio.get_running_loop().create_future()

        async def stopped() -> Trouble:
            return await asyncio.shield(stop)

        try:
            await Run(self._context, rollout, self._sets.__getitem__, (stopped, *self._watches)).go()
        except Exception:  # noqa: BLE001 - a defect of ours must not leave a deployment in progress for ever
            _log.exception("deployment %s", rollout)
            self._context.step(rollout, status="STOPPED", reason="Internal error of the sandbox.", finished=time.time())
        finally:
            stop.cancel()

    async def _supersede(self, newer: str) -> None:
        await self._cancel()
        store = self._context.store
        for older in store.rollouts_of(self._arn):
            if older.arn != newer and older.status not in ENDED:
                now, reason = time.time(), f"Service deployment stopped because of a newer one: {newer}."
                self._context.step(older.arn, status="STOPPED", reason=reason, finished=now, stopped=now)
                tasks = self._sets.get(older.target)
                if tasks and not tasks.healthy and older.target != self.service.revision:
                    await tasks.stop("Replaced by a newer deployment")
        self._context.step(newer, sources=tuple(self.serving()))

    async def _cancel(self) -> None:
        running, self._running = self._running, None
        if running:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    def _later(self, work: Coroutine[None, None, None]) -> None:
        self._pending = asyncio.create_task(work)  # kept, or it may be collected while it runs

    async def _made(self, revision: Revision) -> TaskSet:
        context, service = self._context, self.service
        definition = context.store.definitions[revision.definition]
        check, group = LISTENING, None
        if revision.group:
            answer = await context.door.call("DescribeTargetGroups", TargetGroupArns=[revision.group])
            grace = float(service.shown.get("healthCheckGracePeriodSeconds") or 0)
            check, group = health_of(answer["TargetGroups"][0], grace), context.door.groups[revision.group]
        return TaskSet(
            planned(definition, service), check, group, context.around,
            begin=lambda: self._begin_task(revision),
            keep=context.store.keep_task,
            say=lambda text: context.say(self._arn, text),
        )  # fmt: skip

    def _begin_task(self, revision: Revision) -> Task:
        store, task_id = self._context.store, new_id()
        prefix, _, name = self.service.cluster.partition(":cluster/")
        rollout = next((each for each in store.rollouts_of(self._arn) if each.target == revision.arn), None)
        task = Task(
            f"{prefix}:task/{name}/{task_id}", self._arn, revision.arn, revision.definition,
            rollout.id if rollout else "", created=time.time(),
        )  # fmt: skip
        store.keep_task(task)
        self._context.say(self._arn, f"has started 1 tasks: (task {task_id}).")
        return task

    def _read(self) -> Iterator[Datum]:
        """Usage of what serves, since the last call."""
        tasks = self._sets.get(self.service.revision)
        instance = tasks.instance if tasks else None
        if tasks is None or instance is None:
            self._meter = None
            return
        if self._meter is None or self._meter.pid != instance.pid:
            self._meter = Meter(instance.pid, tasks.plan.cpus, tasks.plan.megabytes)
        yield from usage_data(self.service, self._meter.read())
