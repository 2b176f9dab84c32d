"""The worker: runs one environment's program under the real engine, in a process that outlives its controller.

Comes in: a folder with `job.json` and, on standard input, the words `preview`, `drift`, `up`, `settle`, `inventory`,
`destroy`, a line each; `up refresh` looks at the cloud first. Goes out, in that folder: `<word>.pid` and
`<word>.steps.jsonl` while it runs, then `<word>.json` with the result, written in one rename. It runs by path with the
checkout of the pinned program in front of everything on sys.path, so it imports nothing of the controller: only what
the program itself may need. It never decides and never talks to git.

Why files and a session of its own: with pipes the engine dies by SIGPIPE when its parent does, and leaves a lock,
a pending create and an orphaned object; with files it finishes its step and leaves everything clean (measured).
"""

import contextlib
import fcntl
import json
import os
import runpy
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi.automation as auto
from pulumi.automation import errors as auto_errors
from semver import VersionInfo

SECRET_MARK = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the wire's mark of a secret, not one


class FileCommand(auto.PulumiCommand):
    """The CLI with its output in files and its pid on record; `version` is known, so it is not asked."""

    def __init__(self, command: str, version: str, folder: Path, lock: int) -> None:
        # The parent's constructor runs `pulumi version`, 0.3 s for what the job already says.
        self.command = command
        self.version = VersionInfo.parse(version.removeprefix("v"))
        self.folder = folder
        self.lock = lock
        self.word = ""  # the operation under way

    def run(
        self, args: list[str], cwd: str, additional_env: Mapping[str, str], *_: Any, **__: Any
    ) -> auto.CommandResult:  # fmt: skip
        argv = [self.command, "--non-interactive", *args]
        environment = {**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        environment["PATH"] = os.pathsep.join((str(Path(self.command).parent), environment.get("PATH", os.defpath)))
        out, err = self.folder / "engine.out", self.folder / "engine.err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            engine = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, cwd=cwd, env=environment,
                start_new_session=True, pass_fds=[self.lock],
            )  # fmt: skip
            replace(self.folder / f"{self.word}.pid", str(engine.pid))
            code = engine.wait()
        result = auto.CommandResult(
            stdout=out.read_text(errors="replace"), stderr=err.read_text(errors="replace"), code=code
        )
        if code:
            raise auto_errors.create_command_error(result)
        return result


class LeanStack(auto.Stack):
    """A stack that asks the CLI nothing beyond the operation itself: its events already said the rest."""

    def __init__(self, name: str, workspace: auto.LocalWorkspace, command: FileCommand) -> None:
        # The parent's constructor selects or creates the stack, up to 1.2 s; see `create`.
        self.name = name
        self.workspace = workspace
        self.command = command
        self.failed: dict[str, dict[str, Any]] = {}  # of the newest operation

    def outputs(self) -> dict[str, Any]:
        return {}

    def info(self, show_secrets: bool = False) -> Any:  # noqa: ARG002 - the parent's signature
        return {}


class Events:
    """Engine events of one operation, reduced to steps; told to a file as they come."""

    def __init__(self, path: Path) -> None:
        self.steps: dict[tuple[str, str], dict[str, Any]] = {}
        self.refreshed: list[dict[str, Any]] = []  # resources that are not as recorded
        self.outputs: dict[str, Any] = {}
        self.pending: list[dict[str, Any]] = []
        self.failed: dict[str, dict[str, Any]] = {}  # creates, by urn, as the state would have them
        self.problems: list[dict[str, str]] = []
        self._lock = threading.Lock()
        self._sink = path.open("w", buffering=1)

    def take(self, event: auto.EngineEvent) -> None:
        """One event, in a thread of the event server."""
        with self._lock:
            if event.diagnostic_event:
                self._diagnostic(event.diagnostic_event)
            elif event.resource_pre_event:
                self._step("start", event.resource_pre_event.metadata)
            elif event.res_outputs_event:
                self._done(event.res_outputs_event.metadata)
            elif event.res_op_failed_event:
                self._failed(event.res_op_failed_event.metadata)

    def changes(self) -> list[dict[str, Any]]:
        """The steps that change something; a lifted protection is told as `same` by the engine and counts."""
        return [step for step in self.steps.values() if step["operation"] != "same" or step["unprotects"]]

    def hold(self, deployment: Mapping[str, Any]) -> None:
        """What the state holds in the cloud, as steps that would delete it; nothing but names of it is kept."""
        for resource in deployment.get("resources") or ():
            if resource.get("custom") and not resource["type"].startswith("pulumi:"):
                known = [{"path": "id", "kind": "delete", "before": resource.get("id"), "after": None}]
                step = {"operation": "delete", "type": resource["type"], "urn": resource["urn"], "properties": known}
                self.steps[resource["urn"], "delete"] = step | {"unprotects": bool(resource.get("protect"))}

    def leave(self, deployment: Mapping[str, Any]) -> None:
        """What an engine that died had begun: the state still names it."""
        for operation in deployment.get("pending_operations") or ():
            resource = operation["resource"]
            known = {key: resource.get(key) for key in ("urn", "type")}
            self.pending.append(
                {**known, "operation": operation["type"], "inputs": masked(resource.get("inputs") or {})}
            )

    def close(self) -> None:
        self._sink.close()

    def _diagnostic(self, diagnostic: Any) -> None:
        # Debug messages carry secret outputs in clear: they end here.
        if diagnostic.severity == "error":
            self.problems.append({"urn": diagnostic.urn or "", "message": diagnostic.message.strip()})

    def _failed(self, step: Any) -> None:
        self._step("failed", step)
        if getattr(step.op, "value", step.op) in ("create", "create-replacement") and step.new:
            kept = {key: getattr(step.new, key) for key in ("urn", "type", "custom", "parent", "provider", "protect")}
            self.failed[step.urn] = {key: value for key, value in kept.items() if value} | {
                "inputs": masked(step.new.inputs or {})
            }

    def _done(self, step: Any) -> None:
        if step.type == "pulumi:pulumi:Stack":
            self.outputs = masked((step.new.outputs if step.new else None) or {})
        self._step("done", step)

    def _step(self, what: str, step: Any) -> None:
        if step.type == "pulumi:pulumi:Stack" or step.type.startswith("pulumi:providers:"):
            return
        operation = getattr(step.op, "value", step.op)
        if operation == "refresh":
            self._refreshed(what, step)
            return
        if what == "start" and step.logical:
            self.steps[step.urn, operation] = reduced(step, operation)
        # A component is no resource of the cloud, and the engine tells its end twice.
        state = step.new or step.old
        if operation != "same" and state and state.custom:
            self._tell({"what": what, "operation": operation, "urn": step.urn})

    def _refreshed(self, what: str, step: Any) -> None:
        """A look at the cloud is no step of the plan; what it found comes with its end."""
        if what == "done" and step.old and step.old.custom and (found := differing(step)):
            self.refreshed.append(found)

    def _tell(self, line: dict[str, Any]) -> None:
        # A full disk must not stop the engine: the result still comes by `<word>.json`, or as its absence.
        with contextlib.suppress(OSError, ValueError):
            self._sink.write(json.dumps(line) + "\n")


def kinds_of(step: Any) -> dict[str, str]:
    """Property path -> add, delete, update, and the same with "-replace"."""
    told = step.detailed_diff or {}
    kinds = {path: getattr(diff.diff_kind, "value", diff.diff_kind) for path, diff in told.items()}
    return kinds or dict.fromkeys(step.diffs or (), "update")


def differing(step: Any) -> dict[str, Any] | None:
    """What a refresh found of a resource: {type, urn, gone, kinds, recorded, found}; None when all is as recorded.

    `recorded` and `found` are {inputs, outputs}. Properties that the program ignores are not in `kinds`, and
    they are the reason why outputs alone count, too.
    """
    old, new = step.old, step.new
    gone = new is None or new.outputs is None
    kinds = {} if gone else kinds_of(step)
    if not gone and not kinds and old.outputs == new.outputs:
        return None
    recorded = {"inputs": masked(old.inputs or {}), "outputs": masked(old.outputs or {})}
    found = {"inputs": masked(new.inputs or {}), "outputs": masked(new.outputs or {})} if not gone else {}
    return {"type": step.type, "urn": step.urn, "gone": gone, "kinds": kinds, "recorded": recorded, "found": found}


def reduced(step: Any, operation: str) -> dict[str, Any]:
    """What a plan needs of a step: {operation, type, urn, properties: [{path, kind, before, after}], unprotects}."""
    old, new, kinds = step.old, step.new, kinds_of(step)
    return {
        "operation": operation,
        "type": step.type,
        "urn": step.urn,
        "properties": [
            {"path": path, "kind": kind, "before": value_at(old, path), "after": value_at(new, path)}
            for path, kind in sorted(kinds.items())
        ],
        "unprotects": bool(old and new and old.protect and not new.protect),
    }


def value_at(state: Any, path: str) -> Any:
    """The value of `a.b[0].c` in a resource's inputs, None where there is none or the path is unusual."""
    value: Any = masked(state.inputs or {}) if state else None
    for part in path.replace("[", ".").replace("]", "").split("."):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return value


def masked(value: Any) -> Any:
    """Secrets as "[secret]"."""
    if isinstance(value, dict):
        return "[secret]" if SECRET_MARK in value else {key: masked(item) for key, item in value.items()}
    return [masked(item) for item in value] if isinstance(value, list) else value


def replace(path: Path, text: str) -> None:
    """A file is there whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def run(word: str, stack: LeanStack, folder: Path, message: str, *, refresh: bool = False) -> None:
    """One operation; its result into `<word>.json`: {ok, error, kind, problems, steps, outputs, pending, refreshed}."""
    events = Events(folder / f"{word}.steps.jsonl")
    result: dict[str, Any] = {"ok": True, "error": "", "kind": ""}
    stack.command.word = word
    try:
        operate(word, stack, events, message, refresh=refresh)
    except Exception as error:  # noqa: BLE001 - whatever it is, it goes to the controller as data
        result = {"ok": False, "error": str(error), "kind": type(error).__name__}
    finally:
        events.close()
    result |= {"problems": events.problems, "steps": events.changes(), "outputs": events.outputs}
    stack.failed = events.failed
    failed = [{key: one[key] for key in ("urn", "type", "inputs")} for one in events.failed.values()]
    result |= {"pending": events.pending, "refreshed": events.refreshed, "failed": failed}
    replace(folder / f"{word}.json", json.dumps(result))


def operate(word: str, stack: LeanStack, events: Events, message: str, *, refresh: bool) -> None:
    """One operation; a stack that the backend does not have yet is created, which costs a call only then."""

    def once() -> None:
        if word == "preview":
            events.leave(exported(stack)["deployment"])
            stack.preview(on_event=events.take, message=message)
        elif word == "drift":
            events.leave(exported(stack)["deployment"])
            stack.preview(on_event=events.take, message=message, refresh=True)
        elif word == "up":
            stack.up(on_event=events.take, message=message, refresh=refresh)
        elif word == "settle":
            settle(stack)
        elif word == "inventory":
            events.hold(exported(stack)["deployment"])
        else:
            destroy(stack, events, message)

    try:
        once()
    except auto.StackNotFoundError:
        if word in ("preview", "up"):  # of what is not there nothing can be told or taken
            stack.workspace.create_stack(stack.name)
            once()


def exported(stack: LeanStack) -> dict[str, Any]:
    """The state, its secrets encrypted: the Automation API's own export would write them in clear into our files."""
    path = stack.command.folder / "state.json"
    stack.command.run(["stack", "export", "--stack", stack.name, "--file", str(path)], stack.workspace.work_dir, {})
    state: dict[str, Any] = json.loads(path.read_text())
    state["deployment"] = state.get("deployment") or {}
    return state


def settle(stack: LeanStack) -> None:
    """Resolve what an engine had begun and does not know the end of: `settle.in.json` names the objects, {urn: id}.

    It is pending since an engine died, or the last update failed to create it because it is there already. Such an
    object gets into the state as the resource that it is, and a refresh asks the provider for the rest of it; what
    is pending and not there is forgotten. Never `up` over a pending create: it makes a second object (measured).
    """
    made = json.loads((stack.command.folder / "settle.in.json").read_text())
    state = exported(stack)
    deployment = state["deployment"]
    pending = deployment.pop("pending_operations", None) or ()
    begun = stack.failed | {one["resource"]["urn"]: one["resource"] for one in pending if one["type"] == "creating"}
    for urn, resource in begun.items():
        there = [old for old in deployment["resources"] if old["urn"] == urn]
        if made.get(urn) in (None, *(old.get("id") for old in there)):
            continue
        for old in there:
            old["delete"] = True  # a replacement that was cut off: the next update deletes the old one
        deployment["resources"].append({**resource, "id": made[urn], "outputs": {}})
    path = stack.command.folder / "state.json"
    path.write_text(json.dumps(state))
    stack.command.run(["stack", "import", "--stack", stack.name, "--file", str(path)], stack.workspace.work_dir, {})
    if made:
        stack.refresh(target=sorted(made), run_program=False)


def destroy(stack: LeanStack, events: Events, message: str) -> None:
    """Delete everything that the state holds. The CLI's own way to lift protection is the least that can do it."""
    unprotect = ["state", "unprotect", "--all", "--yes", "--stack", stack.name]
    stack.command.run(unprotect, stack.workspace.work_dir, {})
    stack.destroy(on_event=events.take, message=message, run_program=False)


def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text())
    checkout = folder / "checkout"

    def program() -> None:
        runpy.run_path(str(checkout / job["program"]), run_name="__main__")

    sys.path.insert(0, str(checkout))
    # Held by us and by the engine, let go by the kernel when both are gone: how others see that we live.
    lock = (folder / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    command = FileCommand(job["pulumi"], job["version"], folder, lock.fileno())
    workspace = auto.LocalWorkspace(
        work_dir=str(checkout),
        program=program,
        pulumi_command=command,
        secrets_provider=job["secrets_provider"] or None,
    )
    stack = LeanStack(job["environment"], workspace, command)
    for line in sys.stdin:
        word, *how = line.split()
        run(word, stack, folder, job["message"], refresh="refresh" in how)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
