"""All the types that the sandbox's provider has, by token.

Comes in: the declarations of the modules, one module a service. Goes out: one table. A token that two modules declare
would be lost here; the tests compare the count.
"""

from sandbox.provider import (
    app_runner,
    cloudwatch,
    ecr,
    iam,
    sns,
)
from sandbox.provider.resource import ResourceType

TYPES: dict[str, ResourceType] = {
    kind.token: kind
    for module in (app_runner, cloudwatch, ecr, iam, sns)
    for kind in module.TYPES
}  # fmt: skip
