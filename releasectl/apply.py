"""Apply: what `pulumi up` of a plan came to.

Comes in: the engine's result. Goes out: findings about the resources that failed. It draws the line between a
verdict and broken machinery: a resource that could not become what the release says is a verdict; an engine,
an account or a network that did not let us try is an exception of the edge. It never runs anything.
"""

from dataclasses import dataclass

from releasectl.errors import Finding
from releasectl.plan import Plan


@dataclass(frozen=True)
class Problem:
    """What the engine said about one resource."""

    urn: str
    message: str


@dataclass(frozen=True)
class Result:
    """One update by the engine: the steps it took, the outputs it left, the resources that failed."""

    plan: Plan
    problems: tuple[Problem, ...] = ()


def findings(result: Result) -> tuple[Finding, ...]:
    """One finding for each resource that failed; none when the update went well."""
    return tuple(
        Finding("apply", problem.urn, problem.message, "Release a digest, program or settings without this fault.")
        for problem in result.problems
    )
