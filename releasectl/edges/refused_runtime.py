"""App Runner takes no new customers: does the answer to a first create mean that?

Comes in: a resource's URN and what the engine says of it. Goes out: an error with the one line to change, or None. How
AWS words the refusal was never seen on the wire, so this is a hint, and it says so; a role that lacks a permission has
words of its own, and is told as that.
"""

import re

from releasectl.errors import ControllerError, Retry

_SERVICE = "aws:apprunner/service:Service::"
_CREATE = "CreateService"
_REFUSED = re.compile(
    r"SubscriptionRequired|OptInRequired|AccessDenied|not authorized|new customer|not available (to|for) (new|this)",
    re.IGNORECASE,
)
# IAM's own sentence, which names who lacks which permission.
_ROLE = "is not authorized to perform"


class AppRunnerRefuses(ControllerError):
    """App Runner refused to create the first service of this account.

    Why: Most likely that it takes no new customers since 30 April 2026; AWS gives no answer before the first create.
    Do: Write `runtime: ecs-express` (or `fargate`) for the service in `Pulumi.ENVIRONMENT.yaml`, merge that, and
    release again. If the account does use App Runner elsewhere, ask AWS support with the cause of the message.
    """

    retry = Retry.AFTER_CHANGE


def refusal(urn: str, message: str) -> AppRunnerRefuses | None:
    """The error that a failed create of an App Runner service means, None when it means something else."""
    _, found, service = urn.partition(_SERVICE)
    if not found or _CREATE not in message or _ROLE in message or not _REFUSED.search(message):
        return None
    return AppRunnerRefuses(
        f"creating {service} on App Runner: this account seems to be refused, since App Runner takes no new customers "
        f"since 30 April 2026: {message}",
        f"Write `runtime: ecs-express` for {service} in the environment's settings, merge that, and release again.",
    )
