"""The fence around the roles that this program makes: the permissions boundary that bootstrap made for it.

Comes in: the boundary's ARN from the settings, "" for none. Goes out: a transformation that every role passes, a team's
own included. A role that deploys may make no role without it, so that it cannot make one that may more than itself.
"""

import pulumi

ROLE = "aws:iam/role:Role"


def keep_inside(boundary: str) -> None:
    """Every role declared from now on has the boundary, unless it says one itself."""

    def bounded(made: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if made.type_ != ROLE or made.props.get("permissionsBoundary") is not None:
            return None
        return pulumi.ResourceTransformationResult({**made.props, "permissionsBoundary": boundary}, made.opts)

    if boundary:
        pulumi.runtime.register_stack_transformation(bounded)
