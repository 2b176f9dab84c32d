"""All the types that the sandbox's provider has, by token.

Comes in: the declarations of the modules, one or two modules a service. Goes out: one table.
"""

from sandbox.provider import (
    app_runner,
    app_runner_network,
    autoscaling,
    chatbot,
    cloudwatch,
    composite,
    ec2,
    ecr,
    ecs,
    ecs_express,
    ecs_service,
    events,
    iam,
    iam_account,
    kms,
    listeners,
    load_balancing,
    logs,
    s3,
    s3_settings,
    sns,
    target_groups,
)
from sandbox.provider.resource import ResourceType

_MODULES = (
    app_runner,
    app_runner_network,
    autoscaling,
    chatbot,
    cloudwatch,
    composite,
    ec2,
    ecr,
    ecs,
    ecs_express,
    ecs_service,
    events,
    iam,
    iam_account,
    kms,
    listeners,
    load_balancing,
    logs,
    s3,
    s3_settings,
    sns,
    target_groups,
)
TYPES: dict[str, ResourceType] = {kind.token: kind for module in _MODULES for kind in module.TYPES}
