"""What the roles of an environment may do with your team's own resources, those of `stacks/own.py`.

Comes in: the environment's ground: `ground.each` is its prefix, `ground.here(...)` makes ARNs in its region. Goes out:
grants for `releasectl bootstrap`, which an administrator runs again after a change here.
"""

from stacks.bootstrap.ground import Ground
from stacks.bootstrap.statements import Grant


def own_grants(ground: Ground) -> tuple[Grant, ...]:
    """Empty on purpose. For example:

    Grant("Queues", ground.here("sqs", ground.each), reads=("sqs:GetQueueAttributes",), writes=("sqs:CreateQueue",))
    """
    del ground
    return ()
