"""Drives the engine: a work folder for one deployment, a worker in it, and who works there.

Comes in: the program's checkout with this release's data in it. Goes out: a preview as a Plan, an update as a
Result. The worker is started in a session of its own with its output in files, so that it survives us; closing its
standard input is how it is told to end. Locks in the folder, let go by the kernel, tell who lives.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from releasectl import drift
from releasectl.apply import Result
from releasectl.drift import Refreshed
from releasectl.edges import engine, engine_words, interrupt
from releasectl.errors import ControllerError, Retry
from releasectl.plan import Plan
from releasectl.record import Worker

WORKER = Path(__file__).with_name("worker.py")
POLL = 0.02  # seconds between two looks at the worker's files
PREVIEW_DEADLINE = 15 * 60.0  # seconds; also for the small operations
GRACE = 10 * 60.0  # seconds for an engine that was asked to stop; then it is asked to end at once
CONTROLLER, ENGINE = "controller.lock", "lock"  # held by whoever lives

Progress = Callable[[str], None]


class WorkerGone(ControllerError):
    """A worker ended without a result.

    Why: Somebody or the kernel (out of memory) killed the process that runs the program, or its Python
    environment is broken.
    Do: Read the worker's log that the message names, then run the same command again.
    """

    retry = Retry.BACKOFF


class TookTooLong(ControllerError):
    """An operation of the engine did not end within its deadline.

    Why: AWS is slow with a resource, or waits for something. An update was asked to stop after its running step;
    nothing of it is lost.
    Do: Look at the last step that the message names; give an update more time by `deadline` in `pipeline.yaml`.
    """

    retry = Retry.BACKOFF


@dataclass(frozen=True)
class Engine:
    """The engine on this machine."""

    say: Progress = field(default=lambda _line: None)

    @contextlib.contextmanager
    def open(
        self,
        folder: Path,
        environment: str,
        *,
        message: str,
        variables: Mapping[str, str],
        secrets_provider: str = "",
        deadline: float = 3600.0,
        program: str = "stacks",
        fixed: Mapping[str, str] | None = None,
    ) -> Iterator["Session"]:
        """A worker in `folder`, whose `checkout` is ready; its update may take `deadline` seconds. Raises NoEngine.

        A person's own variables win over `variables`, and `fixed` over theirs.
        """
        binary = engine.find()
        job = {
            "environment": environment,
            "pulumi": str(binary.path),
            "version": binary.version,
            "message": message,
            "secrets_provider": secrets_provider,
            "program": program,
        }
        (folder / "job.json").write_text(json.dumps(job))
        with (folder / "worker.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-P", str(WORKER), str(folder)], stdin=subprocess.PIPE, stdout=log, stderr=log,
                env=_environment(variables) | dict(fixed or {}), start_new_session=True,
            )  # fmt: skip
        try:
            yield Session(folder, worker, deadline, self)
        finally:
            if worker.stdin:
                worker.stdin.close()
            # It ends by itself after its current operation; who leaves early must not wait for that.
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(timeout=5)

    def result(self, folder: Path, word: str) -> Result | None:
        """What a worker left in `folder`, None while there is nothing. For a controller that comes back."""
        return engine_words.read(folder, word)

    @contextlib.contextmanager
    def hold(self, folder: Path) -> Iterator[bool]:
        """Work on the deployment of `folder`, alone on this host; False while another controller does."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / CONTROLLER).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def is_running(self, folder: Path) -> bool:
        """Does a worker or its engine still work in `folder`?"""
        return _is_held(folder / ENGINE)

    def worker(self, folder: Path) -> Worker | None:
        """Who works in `folder`, None where it is not to be seen: it is on another machine, or was removed."""
        if not (folder / CONTROLLER).exists():
            return None
        if _is_held(folder / CONTROLLER):
            return Worker.HELD
        if self.is_running(folder):
            return Worker.RUNNING
        return Worker.DONE if (folder / "up.json").exists() else Worker.GONE

    def stop(self, folder: Path) -> None:
        """Ask the engine at work in `folder` to end after its running step; asked again, it ends at once."""
        for word in ("up", "destroy"):
            pid = _pid(folder, word)
            if pid and self.is_running(folder) and not (folder / f"{word}.json").exists():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)

    def pid(self, folder: Path) -> int | None:
        """The pid that the engine of the update in `folder` had, None where there was none."""
        return _pid(folder, "up") or _pid(folder, "destroy")


@dataclass(frozen=True)
class Session:
    """One running worker."""

    folder: Path
    worker: subprocess.Popen[bytes]
    deadline: float
    engine: Engine

    def preview(self) -> Plan:
        """What would change. Raises the error that the engine's words mean; a plan with problems is no plan."""
        result = self._operate("preview")
        if result.problems:
            raise engine_words.no_plan(result.problems)
        return result.plan

    def drift(self) -> Refreshed:
        """What the cloud has other than recorded, and the plan back, or why there is none. Writes nothing."""
        result = self._operate("drift")
        problems = tuple(f"{engine_words.name(problem.urn)}: {problem.message}" for problem in result.problems)
        return Refreshed(_read_refreshed(self.folder), result.plan, problems)

    def up(self, *, refresh: bool = False) -> Result:
        """Apply. A resource that failed is a `problem` of the result; machinery that failed is raised.

        With `refresh` the engine looks at the cloud first and takes back what differs. The first signal lets the
        running step end, the second ends it at once; then Interrupted is raised.
        """
        return self._change("up", *(("refresh",) if refresh else ()))

    def settle(self, made: Mapping[str, str]) -> None:
        """Resolve the pending operations of the state: `made` are the objects that are there, {urn: id}."""
        (self.folder / "settle.in.json").write_text(json.dumps(made))
        self._operate("settle")

    def inventory(self) -> Plan:
        """Every resource of the cloud that the state holds, as the deletion of it; `id` is its name there."""
        return self._operate("inventory").plan

    def destroy(self) -> Result:
        """Take all of it away, protected or not. The stack itself stays, empty."""
        return self._change("destroy")

    def _change(self, word: str, *how: str) -> Result:
        """An operation that changes the world: signals are passed on to its engine, and so is the deadline."""
        asked = 0
        begun = time.monotonic()
        with interrupt.counted() as came:

            def watch() -> None:
                nonlocal asked
                late = time.monotonic() - begun - self.deadline
                wanted = max(came(), 0 if late < 0 else 1 if late < GRACE else 2)
                if wanted > asked and self.engine.pid(self.folder):  # before it is there nobody would hear it
                    asked = wanted
                    self.engine.say("stopping: the running step ends first" if asked == 1 else "stopping at once")
                    self.engine.stop(self.folder)
                if came() > 2:  # somebody will not wait: the worker goes on, the next run finds it
                    raise KeyboardInterrupt

            try:
                return self._operate(word, *how, watch=watch)
            except ControllerError as error:
                if time.monotonic() - begun < self.deadline or came():
                    raise
                raise self._too_long(word, self.deadline) from error

    def _operate(self, word: str, *how: str, watch: Callable[[], None] | None = None) -> Result:
        for left in (f"{word}.json", f"{word}.pid"):  # of an earlier time in this session
            (self.folder / left).unlink(missing_ok=True)
        self._send(" ".join((word, *how)))
        begun = time.monotonic()
        # A preview does nothing that would be worth a line; the plan says it all.
        say = self.engine.say if watch else lambda _line: None
        with _Steps(self.folder / f"{word}.steps.jsonl", say) as steps:
            while True:
                ended = self.worker.poll() is not None
                result = engine_words.read(self.folder, word)
                steps.tell()
                if result is not None:
                    return result
                if ended and not _is_held(self.folder / ENGINE):  # an engine without its worker still ends its step
                    raise WorkerGone(
                        f"running the program: its worker ended with {self.worker.returncode}: {_tail(self.folder)}",
                        f"Read {self.folder / 'worker.log'}, then run the same command again.",
                    )
                if watch:
                    watch()
                elif time.monotonic() - begun > PREVIEW_DEADLINE:
                    raise self._too_long(word, PREVIEW_DEADLINE)
                time.sleep(POLL)

    def _send(self, word: str) -> None:
        commands: IO[bytes] | None = self.worker.stdin
        if commands is None:  # it was opened with a pipe
            raise WorkerGone("talking to the worker: it has no standard input", "Run the same command again.")
        with contextlib.suppress(BrokenPipeError):  # it ended: told by whoever waits, with its last words
            commands.write(f"{word}\n".encode())
            commands.flush()

    def _too_long(self, word: str, seconds: float) -> TookTooLong:
        last = _last_step(self.folder / f"{word}.steps.jsonl")
        return TookTooLong(
            f"running `{word}`: it did not end within {seconds:.0f} s; the last it said: {last}",
            f"Look at {self.folder / 'engine.err'}; `deadline` in pipeline.yaml gives an update more time.",
        )


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
                self._say(f"{step['operation']} {engine_words.name(step['urn'])} {step['what']}")


def _is_held(path: Path) -> bool:
    """Shared, so that two who look do not take each other for the holder."""
    try:
        lock = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _pid(folder: Path, word: str) -> int | None:
    try:
        return int((folder / f"{word}.pid").read_text())
    except (FileNotFoundError, ValueError):
        return None


def _read_refreshed(folder: Path) -> tuple[drift.Changed, ...]:
    return drift.changed(json.loads((folder / "drift.json").read_text())["refreshed"])


def _last_step(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return lines[-1] if lines else "nothing"


# What a job of CI and the controller have for themselves: GitHub's tokens, the way to new ones, files that later steps
# read. A program needs none of it, and one that is only proposed must not have it.
_OURS = ("ACTIONS_", "GITHUB_", "GH_", "RUNNER_", "RELEASECTL_APP_")


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Ours, with the settings' variables where the person did not set one: that is the CLI's own precedence."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {"PULUMI_SKIP_UPDATE_CHECK": "1", **{k: v for k, v in variables.items() if v}, **ours}


def _tail(folder: Path) -> str:
    lines = (folder / "worker.log").read_text(errors="replace").strip().splitlines()
    if not shutil.disk_usage(folder).free:
        return f"no space is left on the device of {folder}"
    return lines[-1] if lines else "it said nothing"
