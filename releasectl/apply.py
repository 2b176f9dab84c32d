"""Apply: what `pulumi up` of a plan came to.

Comes in: the engine's result. Goes out: findings about the resources that failed. It draws the line between a
verdict and broken machinery: a resource that could not become what the release says is a verdict; an engine,
an account or a network that did not let us try is an exception of the edge. It never runs anything.
"""

import re
from dataclasses import dataclass

from releasectl.errors import Finding
from releasectl.plan import Pending, Plan


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
    failed: tuple[Pending, ...] = ()  # creates that did not succeed


# How AWS says that what should be created has the name of what is there (IAM, ECR, App Runner, SQS, ELB, ...).
_THERE = re.compile(r"already ?exists|AlreadyExists|ResourceInUse|Duplicate", re.IGNORECASE)


def there_already(result: Result) -> tuple[Pending, ...]:
    """The creates that failed because the object is there: its own answer may have been lost, and asked for again."""
    said = {problem.urn for problem in result.problems if _THERE.search(problem.message)}
    return tuple(one for one in result.failed if one.urn in said)


def findings(result: Result) -> tuple[Finding, ...]:
    """One finding for each resource that failed; none when the update went well."""
    return tuple(
        Finding("apply", problem.urn, problem.message, "Release a digest, program or settings without this fault.")
        for problem in result.problems
    )
