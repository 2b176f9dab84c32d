"""A crash: a controller in a process of its own, killed with what it started at a named moment.

Comes in: a hand in a sandbox, a moment. Goes out: a controller, a worker, an engine that SIGKILL ended there. The demo
and the tests crash with it; it never tidies up what a crash leaves.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.hand import Hand, Said
from sandbox.process import SandboxBroken

PATIENCE = 60.0  # seconds until a moment that has to come
SERVICE = "aws:apprunner/service:Service::web"


@dataclass(frozen=True)
class Controller:
    """One `releasectl reconcile` under way."""

    hand: Hand
    environment: str
    process: subprocess.Popen[str]
    begun: frozenset[Path]  # work folders of earlier deployments

    @property
    def folder(self) -> Path | None:
        """The work folder of its deployment, once there is one."""
        fresh = set(work_folders(self.hand, self.environment)) - self.begun
        return max(fresh, default=None)

    def pids(self) -> dict[str, int]:
        """Who works: controller, worker, engine."""
        found = {"controller": self.process.pid}
        folder = self.folder
        if folder is None:
            return found
        workers = [pid for pid, line in processes() if f"worker.py {folder}" in line]
        engines = [int(path.read_text()) for path in folder.glob("up.pid")]
        return found | dict(zip(("worker",), workers, strict=False)) | dict(zip(("engine",), engines, strict=False))

    def until(self, moment: Callable[["Controller"], bool]) -> None:
        """Wait for a moment of its work."""
        deadline = time.monotonic() + PATIENCE
        while not moment(self):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SandboxBroken(
                    f"waiting for a moment of `releasectl reconcile {self.environment}`: it never came",
                    "Run the command by hand and read its words.",
                )
            time.sleep(0.005)

    def kill(self, *names: str) -> None:
        """SIGKILL, the controller first: it must not see the others die."""
        pids = self.pids()
        for name in sorted(names, key=["controller", "worker", "engine"].index):
            os.kill(pids[name], signal.SIGKILL)

    def ended(self) -> Said:
        """Its exit code and words."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return Said(self.process.returncode, out, err)


@contextmanager
def reconciling(
    hand: Hand, environment: str = "staging", *more: str, host: str = "", **variables: str
) -> Iterator[Controller]:
    """A controller that reconciles, as on `host` if that is named; it has ended when the caller goes on."""
    begun = frozenset(work_folders(hand, environment))
    process = subprocess.Popen(
        [*(on_host(host) if host else ()), str(Path(sys.executable).with_name("releasectl")), "reconcile",
         environment, *more],
        cwd=hand.sandbox.clone, env={**hand.sandbox.environment, "GIT_CONFIG_GLOBAL": os.devnull, **variables},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    controller = Controller(hand, environment, process, begun)
    try:
        yield controller
    finally:
        if process.poll() is None:
            controller.kill("controller")
        process.communicate()


def on_host(name: str) -> tuple[str, ...]:
    """What runs a command as if this host had another name: in a namespace of its own, without any privilege."""
    script = f'hostname {name} && exec "$@"'
    return ("unshare", "--user", "--map-root-user", "--uts", "sh", "-c", script, "sh")


def work_folders(hand: Hand, environment: str) -> list[Path]:
    """The work folders of an environment's deployments, oldest first."""
    return sorted((hand.sandbox.clone / ".git/releasectl" / environment).glob("*"))


def processes() -> Iterator[tuple[int, str]]:
    """Every process with its command line."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield int(path.parent.name), path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue


# ---- moments ----


def intended(hand: Hand) -> Callable[[Controller], bool]:
    """Its intent is on record, its engine has not begun."""
    ref = hand.sandbox.remote / "refs/heads/deployments"
    before = ref.read_text()
    return lambda _controller: ref.read_text() != before


def stepped(what: str, name: str) -> Callable[[Controller], bool]:
    """A step on a resource has started, or is done."""

    def moment(controller: Controller) -> bool:
        path = controller.folder / "up.steps.jsonl" if controller.folder else Path("nowhere")
        lines = path.read_text().splitlines() if path.exists() else []
        steps = [json.loads(line) for line in lines if line.endswith("}")]
        return any(step["what"] == what and step["urn"].endswith(name) for step in steps)

    return moment


def applied(controller: Controller) -> bool:
    """The engine is done, which nobody recorded yet."""
    return bool(controller.folder and (controller.folder / "up.json").exists())
