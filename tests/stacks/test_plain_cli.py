"""A person's way: the plain `pulumi` command on the project, with no controller near it.

The engine, the command line and the program are the real ones; AWS is the sandbox's.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sandbox import ministack
from sandbox.process import Running, ready_line, start
from tests.stacks.recording_engine import PROJECT_ROOT
from tests.stacks.texts import DIGEST, release_text

CLI = Path.home() / ".pulumi/versions/3.258.0/bin/pulumi"
ACCOUNT = "000000000000"

Pulumi = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project as it is checked out, without its tests and tools."""
    folder = tmp_path / "project"
    shutil.copytree(PROJECT_ROOT / "stacks", folder / "stacks")
    (folder / "releases").mkdir()
    (folder / "releases/staging.yaml").write_text(release_text({"web": ""}))
    for name in ("Pulumi.yaml", "Pulumi.staging.yaml"):
        shutil.copy(PROJECT_ROOT / name, folder)
    return folder


@pytest.fixture
def cli(tmp_path: Path, project: Path) -> Iterator[Pulumi]:
    """`pulumi ...` in the project: a sandbox as AWS, a folder as the state's backend."""
    command = CLI if CLI.exists() else shutil.which("pulumi")
    assert command, "there is no pulumi command on this machine; `make setup` brings it"
    with ExitStack() as stack:
        aws = ministack.start(tmp_path)
        stack.callback(_end, aws)
        environment = _environment(tmp_path, aws.endpoint)
        for variable, module in (
            ("PULUMI_DEBUG_PROVIDERS=aws", "sandbox.provider"),
            ("PULUMI_DEBUG_LANGUAGES=python", "tests.stacks.language_host"),
        ):
            argv = [sys.executable, "-m", module]
            log = tmp_path / f"{module}.log"
            here = environment | {"PYTHONPATH": str(PROJECT_ROOT)}
            running = start(module, argv, log=log, environment=here, ready=ready_line)
            stack.callback(_end, running)
            name, _, package = variable.partition("=")
            environment[name] = f"{package}:{running.ready['port']}"

        def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
            argv = [str(command), *arguments, "--non-interactive"]
            done = subprocess.run(
                argv, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=120
            )
            assert done.returncode == code, f"{argv}:\n{done.stdout}\n{done.stderr}"
            return done

        yield run


def _end(running: Running) -> None:
    running.stop()


def _environment(folder: Path, endpoint: str) -> dict[str, str]:
    (folder / "state").mkdir()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": endpoint,
        "PULUMI_HOME": str(folder / "pulumi"),
        "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
    }


def steps(preview: str) -> dict[tuple[str, str], str]:
    """Type's last part and name of each resource in `pulumi preview --json`, and what would happen to it."""
    found = {}
    for step in json.loads(preview)["steps"]:
        kind, name = step["urn"].split("::")[-2:]
        found[kind.rpartition(":")[2], name] = step["op"]
    return found


def outputs(cli: Pulumi) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(cli("stack", "output", "--json", "-s", "staging").stdout)
    return result


def test_an_environment_is_previewed_made_and_left_alone_by_the_plain_command(cli: Pulumi, project: Path) -> None:
    cli("stack", "init", "staging")
    planned = steps(cli("preview", "-s", "staging", "--json").stdout)
    cli("up", "-s", "staging", "--yes", "--skip-preview")
    again = cli("up", "-s", "staging", "--yes", "--skip-preview", "--expect-no-changes")
    told = outputs(cli)

    assert planned["Repository", "web"] == planned["Topic", "alerts"] == "create"
    assert ("Service", "web") not in planned
    assert "unchanged" in again.stdout
    assert told["topic"] == f"arn:aws:sns:eu-west-1:{ACCOUNT}:release-controller-staging"
    repository = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/release-controller-staging-web"
    assert told["services"]["web"]["repository"] == repository
    assert told["services"]["web"]["service"] == ""

    (project / "releases/staging.yaml").write_text(release_text({"web": DIGEST}))
    first = steps(cli("preview", "-s", "staging", "--json").stdout)

    changed = {key: operation for key, operation in first.items() if operation != "same"}
    allowed = {change["type"].rpartition(":")[2] for change in told["shape"] if "create" in change["operations"]}
    assert {kind for kind, _ in changed} <= allowed
    assert set(changed.values()) == {"create"}
    assert changed["Service", "web"] == "create"


def test_wrong_settings_are_said_in_words_before_anything_is_made(cli: Pulumi, project: Path) -> None:
    cli("stack", "init", "staging")
    settings = project / "Pulumi.staging.yaml"
    settings.write_text(settings.read_text().replace("port: 8000", "port: 80000"))
    done = cli("preview", "-s", "staging", code=1)

    said = done.stdout + done.stderr
    assert "`port` is 80000, outside 1 to 65535" in said
    assert "Traceback" not in said
