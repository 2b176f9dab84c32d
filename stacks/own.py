"""Your team's own resources: a table, a queue, a dashboard that live and die with the environment.

Comes in: the environment's name, the component to make the parent, and the alert topic. Goes out: nothing.
Give everything `opts=pulumi.ResourceOptions(parent=parent)`: that brings the provider with the right region.
A change here is a change of the program: promoted, shown in the plan and rolled back like an image.
"""

import pulumi


def own_resources(environment: str, *, parent: pulumi.Resource, topic: pulumi.Output[str]) -> None:
    """Empty on purpose. For example:

    aws.sqs.Queue("orders", name=f"{names.PROJECT}-{environment}-orders", opts=pulumi.ResourceOptions(parent=parent))
    """
