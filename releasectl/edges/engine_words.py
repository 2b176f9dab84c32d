"""What the engine's words mean: a worker's result file -> a Result, or the one error that names its cause.

Comes in: `<word>.json` of a work folder. Goes out: plan, problems of resources, or an error of ours with a remedy. A
resource that failed is a problem of the result; machinery that failed is an error. It runs nothing.
"""

import json
import re
from pathlib import Path

from releasectl.apply import Problem, Result
from releasectl.edges import aws
from releasectl.edges.refused_runtime import refusal
from releasectl.errors import ControllerError, Interrupted, Retry
from releasectl.locks import StackLocked
from releasectl.plan import Pending, from_steps

# An exception comes with its traceback, whose last line names it; a RunError is meant to be read whole.
_PROGRAM_SAID = re.compile(
    r"python inline source runtime error: .*\n(?P<exception>.+)$|an unhandled error occurred: (?P<words>.*)", re.DOTALL
)


class EngineFailed(ControllerError):
    """The engine ended badly for a reason that has no name of its own here.

    Why: The backend of the state is not there, a provider does not start, or a resource cannot be planned.
    Do: Read the cause in the message, mend what it names, then run the same command again.
    """

    retry = Retry.BACKOFF


class ProgramFailed(ControllerError):
    """The program raised; nothing was changed by that alone.

    Why: `stacks/` has a mistake, or the settings say something that the program does not take.
    Do: Mend `stacks/` or `Pulumi.ENVIRONMENT.yaml`, pin the commit that has the change, then run `releasectl
    preview ENVIRONMENT`.
    """

    retry = Retry.AFTER_CHANGE


class WrongPassphrase(ControllerError):
    """The passphrase of the stack's secrets is wrong or missing.

    Why: The settings file has a salt, and what it protects opens with one passphrase only.
    Do: Set `PULUMI_CONFIG_PASSPHRASE` or `PULUMI_CONFIG_PASSPHRASE_FILE` to the passphrase of this stack.
    """


class BrokenState(ControllerError):
    """The stack's state cannot be read: it was cut short while it was written, or changed by hand.

    Why: A disk was full, an upload broke off, or somebody edited the state's file.
    Do: Put its newest readable copy back: one of `.pulumi/backups` in the state's folder, or an older version of
    the object in S3.
    """


class ProtectedResource(ControllerError):
    """The plan would delete or replace what is protected, so there is no plan.

    Why: Without it data or an address would be lost. A service whose `runtime` was changed in one step has a runtime
    that would go, and it is protected.
    Do: Write `leaving: OLD-RUNTIME` beside the service's `runtime` for one release: both run, and the protection goes.
    For anything else, let the program lift the protection by a release of its own.
    """

    exit_code = 1
    retry = Retry.AFTER_CHANGE


_IMAGES = "aws:ecr/repository:Repository"  # goes only with the whole service, and then nothing is left behind
# What stands for a runtime: without it nothing answers any more.
_RUNTIMES = {
    "aws:apprunner/service:Service": "app-runner",
    "aws:ecs/expressGatewayService:ExpressGatewayService": "ecs-express",
    "aws:ecs/service:Service": "fargate",
    "aws:lb/loadBalancer:LoadBalancer": "fargate",
}


def read(folder: Path, word: str) -> Result | None:
    """What the operation `word` of a work folder came to, None while there is nothing. Raises what it means."""
    try:
        raw = json.loads((folder / f"{word}.json").read_text())
    except FileNotFoundError:
        return None
    problems = tuple(Problem(problem["urn"], problem["message"]) for problem in raw["problems"])
    resources = tuple(problem for problem in problems if problem.urn and "pulumi:pulumi:Stack" not in problem.urn)
    if not raw["ok"]:
        failure = _named(raw["kind"], raw["error"], problems)
        if failure is not None:
            raise failure
        if not resources:
            raise EngineFailed(f"running the engine: {_short(raw['error'])}", "Read the cause above, then try again.")
    failed = tuple(Pending("creating", one["type"], one["urn"], one["inputs"]) for one in raw["failed"])
    return Result(from_steps(raw["steps"], raw["outputs"], raw["pending"]), resources, failed)


def no_plan(problems: tuple[Problem, ...]) -> ControllerError:
    """Why a preview with problems is no plan."""
    protected = [
        problem for problem in problems if re.search(r"because it is protected|for protection", problem.message)
    ]
    if not protected:
        problem = problems[0]
        return EngineFailed(
            f"previewing {name(problem.urn)}: {problem.message}", "Mend what it names, then preview again."
        )
    named = ", ".join(name(problem.urn) for problem in protected)
    left = [_RUNTIMES[kind] for problem in protected if (kind := _type(problem.urn)) in _RUNTIMES and _is_gone(problem)]
    remedy = "Lift its protection in the program by a release of its own, or take this change back."
    if left and not any(_type(problem.urn) == _IMAGES for problem in protected):
        settings = f"Pulumi.{protected[0].urn.split(':')[2]}.yaml"
        remedy = (
            f"Write `leaving: {left[0]}` beside `runtime` of that service in {settings} for one release: "
            "both run then, and the next release may let the old one go."
        )
    return ProtectedResource(f"previewing: {named} would be lost, and it is protected", remedy)


def _is_gone(problem: Problem) -> bool:
    """Deleted, and not replaced."""
    return "cannot be deleted" in problem.message


def _type(urn: str) -> str:
    return urn.split("::")[-2].rsplit("$", 1)[-1]


def name(urn: str) -> str:
    """`type name` of a URN, for people."""
    parts = urn.split("::")
    return f"{_type(urn)} {parts[-1]}" if len(parts) > 3 else "the environment"


def _named(kind: str, text: str, problems: tuple[Problem, ...]) -> ControllerError | None:
    """The error that the engine's words mean; None when it is about a resource or has no name."""
    if kind == "ConcurrentUpdateError":
        holder = re.search(r"created by (\S+ \(pid \d+\) at \S+)", text)
        who = holder.group(1) if holder else "somebody"
        return StackLocked(f"locking the stack: {who} updates it", "Wait for that update to end, then try again.")
    if re.search(r"update cancell?ed|^ code: -2$", text, re.MULTILINE):  # SIGINT, in its step or before it began
        return Interrupted(
            "updating: the engine was asked to stop and ended after its running step", "Run the same command again."
        )
    if "failed to load checkpoint" in text or "unexpected end of JSON input" in text:
        return BrokenState(
            f"reading the stack's state: {_short(text)}",
            "Put its newest readable copy back: one of `.pulumi/backups`, or an older version of the object.",
        )
    if "passphrase" in text and ("incorrect" in text or "must be set" in text):
        return WrongPassphrase(
            f"opening the stack's secrets: {_short(text)}",
            "Set PULUMI_CONFIG_PASSPHRASE (or PULUMI_CONFIG_PASSPHRASE_FILE) to the passphrase of this stack.",
        )
    return _of_problems(problems)


def _of_problems(problems: tuple[Problem, ...]) -> ControllerError | None:
    for problem in problems:
        if said := _PROGRAM_SAID.match(problem.message):
            return ProgramFailed(
                f"running the program: {(said['exception'] or said['words']).strip()}",
                "Mend `stacks/` or the settings, pin the commit that has the change, then try again.",
            )
        if refused := refusal(problem.urn, problem.message):
            return refused
        failure = aws.named(f"changing {name(problem.urn)}", problem.message)
        if aws.is_ours(failure):
            return failure
    return None


def _short(text: str) -> str:
    """The engine's own sentence out of an Automation API error, with the lines below it that name its causes."""
    said = text.rpartition("error: ")[2].strip() if "error: " in text else text.strip()
    lines = [line.strip(" \t*") for line in said.splitlines()]
    return " ".join(line for line in lines if line)
