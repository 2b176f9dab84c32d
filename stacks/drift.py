"""What the program says of differences made by hand, and how it leaves alone what nobody minds.

Comes in: the ignore rules of the settings. Goes out: a transformation that every resource passes, and the output by
which the controller sorts what it finds. The same rules serve both, so that nothing is ignored in a report and taken
back by a release. It decides nothing about what is drift: the engine does.
"""

from collections.abc import Iterable
from dataclasses import asdict

import pulumi

from releasectl.ignore import Rule, concerns
from stacks import names
from stacks.shape import ALARM, WATCHED, Watched

# They hold nothing of their own, and their provider knows no other way to change them.
_REPLACEABLE = ("aws:ecr/lifecyclePolicy:LifecyclePolicy", "aws:sns/topicSubscription:TopicSubscription")


def leave_alone(rules: Iterable[Rule]) -> None:
    """Every resource declared from now on keeps what the rules name as it is found."""
    known = tuple(rules)

    def kept(made: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        paths = [rule.property or "*" for rule in known if concerns(rule, made.type_, made.name)]
        if not paths or made.type_.startswith(("pulumi:", f"{names.PROJECT}:")):  # components are no resources
            return None
        options = pulumi.ResourceOptions.merge(made.opts, pulumi.ResourceOptions(ignore_changes=paths))
        return pulumi.ResourceTransformationResult(made.props, options)

    if known:
        pulumi.runtime.register_stack_transformation(kept)


def output(rules: Iterable[Rule], runtimes: Iterable[str]) -> dict[str, object]:
    """The stack output `drift`: {release, replaceable, ignore}; `runtimes` are those of the environment."""
    watched = [*(one for runtime in runtimes for one in WATCHED[runtime]), Watched("alarm", ALARM)]
    return {
        "release": [one._asdict() for one in watched],
        "replaceable": list(_REPLACEABLE),
        "ignore": [asdict(rule) for rule in rules],
    }
