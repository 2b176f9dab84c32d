"""Drives the engine: a work folder for one deployment, a worker in it, its results and errors.

Comes in: the program's checkout with this release's data in it. Goes out: a preview as a Plan, an update as a
Result; the engine's messages become our errors here and nowhere else. The worker is started in a session of its
own with its output in files, so that it survives us; closing its standard input is how it is told to end.
"""

import contextlib
import fcntl
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from releasectl import drift
from releasectl.apply import Problem, Result
from releasectl.drift import Refreshed
from releasectl.edges import aws, engine
from releasectl.errors import ControllerError, Retry
from releasectl.plan import Plan, from_steps

WORKER = Path(__file__).with_name("worker.py")
POLL = 0.02  # seconds between two looks at the worker's files

# An exception comes with its traceback, whose last line names it; a RunError is meant to be read whole.
_PROGRAM_SAID = re.compile(
    r"python inline source runtime error: .*\n(?P<exception>.+)$|an unhandled error occurred: (?P<words>.*)", re.DOTALL
)

Progress = Callable[[str], None]


class EngineFailed(ControllerError):
    """The engine ended badly for a reason that has no name of its own here."""

    retry = Retry.BACKOFF


class ProgramFailed(ControllerError):
    """The program raised; nothing was changed by that alone."""

    retry = Retry.AFTER_CHANGE


class WrongPassphrase(ControllerError):
    """The passphrase of the stack's secrets is wrong or missing."""


class StackLocked(ControllerError):
    """Somebody else updates this stack."""

    retry = Retry.BACKOFF


class Interrupted(ControllerError):
    """A worker ended without a result."""

    retry = Retry.BACKOFF


@dataclass(frozen=True)
class Engine:
    """The engine on this machine. `variables` are what a stack's settings add to the environment."""

    say: Progress = field(default=lambda _line: None)

    @contextlib.contextmanager
    def open(
        self, folder: Path, environment: str, *, message: str, variables: Mapping[str, str], secrets_provider: str = ""
    ) -> Iterator["Session"]:
        """A worker in `folder`, whose `checkout` is ready. Raises NoEngine."""
        binary = engine.find()
        job = {
            "environment": environment,
            "pulumi": str(binary.path),
            "version": binary.version,
            "message": message,
            "secrets_provider": secrets_provider,
        }
        (folder / "job.json").write_text(json.dumps(job))
        with (folder / "worker.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-P", str(WORKER), str(folder)], stdin=subprocess.PIPE, stdout=log, stderr=log,
                env=_environment(variables), start_new_session=True,
            )  # fmt: skip
        try:
            yield Session(folder, worker, self.say)
        finally:
            if worker.stdin:
                worker.stdin.close()
            # It ends by itself after its current operation; who leaves early must not wait for that.
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(timeout=5)

    def result(self, folder: Path, word: str) -> Result | None:
        """What a worker left in `folder`, None while there is nothing. For a controller that comes back."""
        return _read_result(folder, word)

    def is_running(self, folder: Path) -> bool:
        """Does a worker or its engine still work in `folder`? They hold a lock that the kernel lets go with them."""
        try:
            with (folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


@dataclass(frozen=True)
class Session:
    """One running worker."""

    folder: Path
    worker: subprocess.Popen[bytes]
    say: Progress

    def preview(self) -> Plan:
        """What would change. Raises the error that the engine's words mean; a plan with problems is no plan."""
        result = self._operate("preview")
        if result.problems:
            problem = result.problems[0]
            raise EngineFailed(
                f"previewing {_name(problem.urn)}: {problem.message}", "Mend what it names, then preview again."
            )
        return result.plan

    def drift(self) -> Refreshed:
        """What the cloud has other than recorded, and the plan back, or why there is none. Writes nothing."""
        result = self._operate("drift")
        problems = tuple(f"{_name(problem.urn)}: {problem.message}" for problem in result.problems)
        return Refreshed(_read_refreshed(self.folder), result.plan, problems)

    def up(self, *, refresh: bool = False) -> Result:
        """Apply. A resource that failed is a `problem` of the result; machinery that failed is raised.

        With `refresh` the engine looks at the cloud first and takes back what differs.
        """
        return self._operate("up", "refresh") if refresh else self._operate("up")

    def inventory(self) -> Plan:
        """Every resource of the cloud that the state holds, as the deletion of it; `id` is its name there."""
        return self._operate("inventory").plan

    def destroy(self) -> Result:
        """Take all of it away, protected or not. The stack itself stays, empty."""
        return self._operate("destroy")

    def _operate(self, word: str, *how: str) -> Result:
        commands: IO[bytes] | None = self.worker.stdin
        if commands is None:  # it was opened with a pipe
            raise Interrupted("talking to the worker: it has no standard input", "Run the same command again.")
        with contextlib.suppress(BrokenPipeError):  # it ended: told below, with its last words
            commands.write(f"{' '.join((word, *how))}\n".encode())
            commands.flush()
        # A preview does nothing that would be worth a line; the plan says it all.
        say = self.say if word in ("up", "destroy") else lambda _line: None
        with _Steps(self.folder / f"{word}.steps.jsonl", say) as steps:
            while True:
                ended = self.worker.poll() is not None
                result = _read_result(self.folder, word)
                steps.tell()
                if result is not None:
                    return result
                if ended:
                    raise Interrupted(
                        f"running the program: its worker ended with {self.worker.returncode}: {_tail(self.folder)}",
                        f"Read {self.folder / 'worker.log'}, then run the same command again.",
                    )
                time.sleep(POLL)


class _Steps:
    """Follows the steps file of a running operation and says each new line."""

    def __init__(self, path: Path, say: Progress) -> None:
        self._path, self._say = path, say
        self._file: IO[str] | None = None
        self._rest = ""

    def __enter__(self) -> "_Steps":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def tell(self) -> None:
        if self._file is None and self._path.exists():
            self._file = self._path.open()
        if self._file is None:
            return
        *lines, self._rest = (self._rest + self._file.read()).split("\n")
        for line in lines:
            step = json.loads(line)
            if step["what"] != "start":
                self._say(f"{step['operation']} {_name(step['urn'])} {step['what']}")


def _read_result(folder: Path, word: str) -> Result | None:
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
    return Result(from_steps(raw["steps"], raw["outputs"]), resources)


def _read_refreshed(folder: Path) -> tuple[drift.Changed, ...]:
    return drift.changed(json.loads((folder / "drift.json").read_text())["refreshed"])


def _named(kind: str, text: str, problems: tuple[Problem, ...]) -> ControllerError | None:
    """The error that the engine's words mean; None when it is about a resource or has no name."""
    if kind == "ConcurrentUpdateError":
        holder = re.search(r"created by (\S+ \(pid \d+\) at \S+)", text)
        who = holder.group(1) if holder else "somebody"
        return StackLocked(f"locking the stack: {who} updates it", "Wait for that update to end, then try again.")
    if "passphrase" in text and ("incorrect" in text or "must be set" in text):
        return WrongPassphrase(
            f"opening the stack's secrets: {_short(text)}",
            "Set PULUMI_CONFIG_PASSPHRASE (or PULUMI_CONFIG_PASSPHRASE_FILE) to the passphrase of this stack.",
        )
    for problem in problems:
        if said := _PROGRAM_SAID.match(problem.message):
            return ProgramFailed(
                f"running the program: {(said['exception'] or said['words']).strip()}",
                "Mend `stacks/` or the settings, pin the commit that has the change, then try again.",
            )
        failure = aws.named(f"changing {_name(problem.urn)}", problem.message)
        if aws.is_ours(failure):
            return failure
    return None


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Ours, with the settings' variables where the person did not set one: that is the CLI's own precedence."""
    return {"PULUMI_SKIP_UPDATE_CHECK": "1", **{k: v for k, v in variables.items() if v}, **os.environ}


def _name(urn: str) -> str:
    """`type name` of a URN, for people."""
    parts = urn.split("::")
    return f"{parts[-2].rsplit('$', 1)[-1]} {parts[-1]}" if len(parts) > 3 else "the environment"


def _tail(folder: Path) -> str:
    lines = (folder / "worker.log").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _short(text: str) -> str:
    """The engine's own sentence out of an Automation API error."""
    found = re.findall(r"error: (.+)", text)
    return (found[-1] if found else text.strip()).strip()
