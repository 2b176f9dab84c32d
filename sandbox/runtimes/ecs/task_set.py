"""The tasks of one revision of a service: started, kept well, replaced when they fall over, stopped.

Comes in: a Plan, a target group, where tasks are written down. Goes out: whether the revision is well, and how many
tasks of it did not become so. One task really runs whatever the desired count is; what AWS would say of several is said
of that one.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import replace

from releasectl.errors import ControllerError
from sandbox.runtimes.command import CannotRun
from sandbox.runtimes.copies import Copy, Surroundings, end, start
from sandbox.runtimes.ecs.plan import Plan
from sandbox.runtimes.ecs.values import Task
from sandbox.runtimes.front_door import Target
from sandbox.runtimes.health import Check, Unhealthy, become_well, paced, stay_well
from sandbox.runtimes.instance import Instance
from sandbox.runtimes.load_balancer.groups import Group
from sandbox.runtimes.workload import Place

DRAIN = 10.0  # seconds for requests that are on the way to a task that goes
_SLOWEST_RESTART = 30.0


class TaskSet:
    """`changed` is set whenever `healthy` or `failures` is another than before."""

    def __init__(
        self, plan: Plan, check: Check, group: Group | None, around: Surroundings,
        *, begin: Callable[[], Task], keep: Callable[[Task], None], say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.healthy, self.failures = False, 0
        self.changed = asyncio.Event()
        self.instance: Instance | None = None
        self.plan = plan
        self._check, self._group, self._around = check, group, around
        self._begin, self._keep, self._say = begin, keep, say
        self._task: Task | None = None
        self._copy: Copy | None = None
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether anybody looks after tasks of it."""
        return self._supervisor is not None

    def start(self) -> None:
        """Begin; again is fine."""
        if self._supervisor is None:
            self._supervisor = asyncio.create_task(self._supervise())

    async def stop(self, why: str, drain: float = DRAIN) -> None:
        """Take the task out of the target group, let it answer what it was asked, end it."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor:
            supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervisor
        self._tell(healthy=False)
        copy = self._copy
        if copy and self._group:
            self._group.register(copy.target, "draining")
        if copy:
            await copy.target.drained(drain)
        await self._ended(why, "ServiceSchedulerInitiated")

    async def _supervise(self) -> None:
        delay = 0.1
        while True:
            began = time.monotonic()
            self._task = self._begin()
            reason, code = "", "ServiceSchedulerInitiated"
            try:
                await self._bring_up()
                self._tell(healthy=True)
                await self._watch()
            except (Unhealthy, ControllerError) as error:
                reason, code = self._explained(error)
                self._say(f"(task {self._task.arn.rpartition('/')[2]}) is replaced: {reason}")
            if not self.healthy:
                self.failures += 1
            self._tell(healthy=False)
            await asyncio.shield(self._ended(reason, code))
            delay = 0.1 if time.monotonic() - began > 10 else min(delay * 2, _SLOWEST_RESTART)
            await asyncio.sleep(delay)

    async def _bring_up(self) -> None:
        """A task that is well, in the target group. Raises Unhealthy, ControllerError."""
        task, around, plan = self._written(), self._around, self.plan
        task_id = task.arn.rpartition("/")[2]
        fallback = plan.workload.port
        stream = "/".join(part for part in (plan.logs.prefix, plan.container, task_id) if part)
        place = Place(plan.logs.group, stream, lambda _text: None)
        await self._demand_logs()
        self.instance = await start(plan.workload, place, around, task_id)
        self._copy = Copy(self.instance, Target(self.instance.port))
        self._write(replace(task, status="RUNNING", started=time.time(), digest=self.instance.image))
        if self._group:
            self._group.register(self._copy.target, "initial")
        wanted = paced(self._check, around.pace)
        free = fallback if fallback and fallback != self.instance.port else None
        port = await become_well(self.instance, wanted, around.client, patience=around.pace.start, fallback=free)
        if port != self.instance.port:
            self._forget_target()
            self._copy = Copy(self.instance, Target(port))
        if plan.check:
            own = paced(plan.check, around.pace)
            await become_well(self.instance, own, around.client, patience=around.pace.start, fallback=free)
            self._write(replace(self._written(), healthy=True))
        if self._group:
            self._group.register(self._copy.target, "healthy")

    async def _demand_logs(self) -> None:
        """As on Fargate, a task does not start where its output cannot go. Raises CannotRun."""
        logs = self.plan.logs
        if logs.group and not logs.creates and not await self._around.telemetry.has_group(logs.group):
            raise CannotRun(
                f"ResourceInitializationError: the log group {logs.group} does not exist",
                "Create the log group before the service.",
            )

    async def _watch(self) -> None:
        """Never returns while the task is well. Raises Unhealthy."""
        copy, around = self._copy, self._around
        if copy is None:
            return
        checks = [paced(each, around.pace) for each in (self._check, self.plan.check) if each]
        watching = [
            asyncio.ensure_future(stay_well(copy.instance, copy.target.port, each, around.client)) for each in checks
        ]
        try:
            await asyncio.gather(*watching)
        finally:
            for each in watching:
                each.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    async def _ended(self, reason: str, code: str) -> None:
        """Nothing is left of the task but its record."""
        task, copy, instance = self._task, self._copy, self.instance
        self._task = self._copy = self.instance = None
        if copy and self._group:
            self._group.forget(copy.target)
        status: int | None = None
        if instance:
            status = instance.exited.result() if instance.exited.done() else None
            await end(instance, self._around)
        if task:
            ended = replace(task, status="STOPPED", stopped=time.time(), healthy=None, reason=reason, code=code)
            self._keep(replace(ended, exit=status))

    def _explained(self, error: Exception) -> tuple[str, str]:
        """Why a task is stopped, in AWS's words, and its stop code."""
        if isinstance(error, ControllerError):
            return f"CannotStartContainerError: {error}", "TaskFailedToStart"
        if self.instance and self.instance.exited.done():
            return f"Essential container in task exited: {error}", "EssentialContainerExited"
        if "command" in str(error) or not self._group:
            return f"Task failed container health checks: {error}", "ServiceSchedulerInitiated"
        group = f"(target-group {self._group.arn})"
        return f"Task failed ELB health checks in {group} due to (reason {error})", "ServiceSchedulerInitiated"

    def _forget_target(self) -> None:
        if self._group and self._copy:
            self._group.forget(self._copy.target)

    def _written(self) -> Task:
        if self._task is None:
            self._task = self._begin()
        return self._task

    def _write(self, task: Task) -> None:
        self._task = task
        self._keep(task)

    def _tell(self, *, healthy: bool) -> None:
        self.healthy = healthy
        self.changed.set()
