"""Express Mode's watch over a deployment: does the new revision answer with errors?

Comes in: what the new target group answers while it gets traffic. Goes out: trouble, once more than one per cent of a
minute's answers were 4xx or 5xx in two of three minutes. Minutes are the sandbox's, as everywhere AWS waits on purpose.
A minute without requests says nothing.
"""

import asyncio
from collections import Counter, deque

from sandbox.runtimes.ecs.context import Context
from sandbox.runtimes.ecs.rollout import Trouble

MOST = 0.01  # of the answers
_OF, _BAD = 3, 2  # minutes


def too_many(statuses: Counter[int]) -> bool:
    """Whether these answers, by their first digit, are more errors than a good release gives."""
    answers = statuses.total()
    return bool(answers) and (statuses[4] + statuses[5]) / answers > MOST


async def faulty(context: Context, service: str) -> Trouble:
    """Waits until the newest deployment of `service` is seen to be faulty; for ever when it is not."""
    rollout = context.store.rollouts_of(service)[0]
    group = context.door.groups[context.store.revisions[rollout.target].group]
    seen: deque[bool] = deque(maxlen=_OF)
    before = Counter(group.statuses)
    while True:
        await asyncio.sleep(context.around.pace.minute)
        now = Counter(group.statuses)
        seen.append(too_many(now - before))
        before = now
        if sum(seen) >= _BAD:
            alarm = str((context.store.services[service].express or {})["parts"]["alarm_name"])
            await context.alarms.ring(alarm, "More than 1 % of the answers are errors in two of three minutes.")
            short = "ECS deployment failed: alarm detected."
            return Trouble(short, "the deployment alarms were triggered.", True, (alarm,))
