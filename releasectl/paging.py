"""Paging: which deployments people hear of, and in which words. A deployment that ended -> a message to its topic.

Comes in: a deployment with its verdict. Goes out: one message through the world's notifier, which names the version
that is active by now. A page that cannot be sent never turns a verdict into an error.
"""

from releasectl import report
from releasectl.active import active
from releasectl.errors import ControllerError
from releasectl.evidence import LOOK_BACK
from releasectl.next_step import ATTEMPTS
from releasectl.plain_text import plain
from releasectl.record import Deployment, Kind, Phase
from releasectl.way_back import AUTOMATIC
from releasectl.world import World


def page(deployment: Deployment, world: World) -> None:
    """Tell people of what they have to look at, and of the end of what they were told about."""
    topic, subject = str(deployment.outputs.get("topic") or ""), subject_of(deployment)
    if not subject or not topic.startswith("arn:"):
        return
    try:
        text = f"{report.deployment(deployment)}\n{_active(deployment, world)}"
        world.notifier.tell(topic.split(":")[3], topic, subject=subject, text=text)
    except ControllerError as error:
        world.say(f"telling {topic}: {error.message}")


def subject_of(deployment: Deployment) -> str:
    """The subject, "" for what nobody has to hear: a release that got live as it should, an attempt before the last."""
    if deployment.phase is Phase.LIVE:
        if deployment.kind is Kind.ROLLBACK and deployment.action == AUTOMATIC:
            return f"{deployment.environment}: rolled back"
        return f"{deployment.environment}: release live, later than it should" if deployment.late else ""
    if deployment.phase is Phase.ERRORED and deployment.attempt < ATTEMPTS:
        return ""
    return f"{deployment.environment}: release {deployment.phase}"


def _active(deployment: Deployment, world: World) -> str:
    """As far as the record can be read."""
    try:
        history = world.records.history(deployment.environment, LOOK_BACK)
    except ControllerError as error:
        return f"which version is active cannot be told: {error.message}"
    newest = () if history and history[0].id == deployment.id else (deployment,)
    return plain("\n".join(one.sentence for one in active((*newest, *history))))
