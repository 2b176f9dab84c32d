"""The real engine with the sandbox's provider: inline programs, a file backend, and what each run says.

Comes in: a program (a function), the provider's port, a folder. Goes out: Run values with counts, steps in order and
property paths. Everything of the engine stays in the folder.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from boto3.session import Session
from pulumi import automation
from pulumi.automation._stack import StackInitMode
from pulumi.automation.errors import CommandError

from sandbox import process
from sandbox.process import Running

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-west-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
CLI = Path.home() / ".pulumi" / "versions" / "3.258.0"
Program = Callable[[], None]


@dataclass(frozen=True)
class Step:
    """One step of the engine; `paths` is property path -> kind, such as `update-replace`."""

    op: str
    name: str
    paths: Mapping[str, str]


@dataclass(frozen=True)
class Run:
    """What one run of the engine said; `error` is empty when it went well."""

    counts: Mapping[str, int]
    steps: tuple[Step, ...]
    drift: tuple[Step, ...]
    error: str

    def of(self, name: str) -> list[Step]:
        """The steps of one resource, without those that change nothing."""
        return [step for step in self.steps if step.name == name and step.op not in ("same", "refresh")]

    def ops(self, name: str) -> list[str]:
        return [step.op for step in self.of(name)]


class _LeanStack(automation.Stack):
    """Outputs and history cost three more starts of the CLI after every run, and no test here reads them."""

    def outputs(self) -> automation.OutputMap:
        return {}

    def info(self, show_secrets: bool = True) -> automation.UpdateSummary:  # noqa: ARG002
        now = datetime.now(UTC)
        return automation.UpdateSummary("update", now, "", {}, {}, "")


class Engine:
    """One stack in a folder of its own."""

    def __init__(self, folder: Path, port: int, region: str = REGION) -> None:
        self._state = folder / "state"
        self._state.mkdir(parents=True)
        self._workspace = automation.LocalWorkspace(
            work_dir=str(folder),
            pulumi_home=str(folder / "home"),
            pulumi_command=automation.PulumiCommand(str(CLI)),
            project_settings=automation.ProjectSettings(name="demo", runtime="python"),
            env_vars={
                "PULUMI_BACKEND_URL": f"file://{self._state}",
                "PULUMI_CONFIG_PASSPHRASE": "sandbox",
                "PULUMI_DEBUG_PROVIDERS": f"aws:{port}",
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                "PULUMI_SKIP_UPDATE_CHECK": "1",
            },
        )
        self._workspace.save_stack_settings("dev", automation.StackSettings(config={"aws:region": region}))
        self._stack = _LeanStack("dev", self._workspace, StackInitMode.CREATE)

    def up(self, program: Program) -> Run:
        return self._run(program, self._stack.up)

    def preview(self, program: Program, *, refresh: bool = False) -> Run:
        return self._run(program, self._stack.preview, refresh=refresh)

    def refresh(self) -> Run:
        return self._run(lambda: None, self._stack.refresh)

    def destroy(self) -> Run:
        return self._run(lambda: None, self._stack.destroy)

    def resources(self) -> dict[str, dict[str, Any]]:
        """The checkpoint's resources of `aws` types by logical name, secrets encrypted as they are stored."""
        stored = json.loads((self._state / ".pulumi" / "stacks" / "demo" / "dev.json").read_bytes())
        found = [one for one in stored["checkpoint"]["latest"].get("resources", []) if one["type"].startswith("aws:")]
        return {one["urn"].rpartition("::")[2]: one for one in found}

    def _run(self, program: Program, operation: Callable[..., object], **options: Any) -> Run:
        loops: list[asyncio.AbstractEventLoop] = []

        def recorded() -> None:
            loops.append(asyncio.get_running_loop())
            program()

        self._workspace.program = recorded
        events: list[automation.EngineEvent] = []
        error = ""
        try:
            operation(on_event=events.append, **options)
        except CommandError as failure:
            error = str(failure)
        for loop in loops:
            _close(loop)
        counts = [event.summary_event.resource_changes for event in events if event.summary_event]
        before = [event.resource_pre_event.metadata for event in events if event.resource_pre_event]
        after = [event.res_outputs_event.metadata for event in events if event.res_outputs_event]
        last = {str(getattr(op, "value", op)): count for op, count in (counts[-1] if counts else {}).items()}
        return Run(last, _steps(before), _steps(after), error)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """The SDK leaves its loop open when the engine ends before the program, as it does when a step fails."""
    deadline = time.monotonic() + 2
    while not loop.is_closed() and time.monotonic() < deadline:
        if not loop.is_running():
            loop.close()
        time.sleep(0.01)


def _steps(metadata: list[Any]) -> tuple[Step, ...]:
    return tuple(
        Step(
            str(getattr(one.op, "value", one.op)),
            one.urn.rpartition("::")[2],
            {path: str(diff.diff_kind.value) for path, diff in (one.detailed_diff or {}).items()},
        )
        for one in metadata
        if "::aws:" in one.urn
    )


def client(endpoint: str, service: str) -> Any:
    """A boto3 client for what people do by hand."""
    make: Callable[..., Any] = Session(
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    ).client
    return make(service, endpoint_url=endpoint)


def end(running: Running) -> None:
    """End a process and close our end of its pipe."""
    running.stop()


def start_provider(folder: Path, environment: Mapping[str, str], *options: str) -> Running:
    """The provider as a process of its own; its port is in `ready`."""
    return process.start(
        "provider",
        [sys.executable, "-m", "sandbox.provider", *options],
        log=folder / "provider.log",
        environment={
            "PYTHONPATH": str(ROOT),
            "AWS_REGION": REGION,
            **CREDENTIALS,
            **environment,
        },
        ready=process.ready_line,
    )
