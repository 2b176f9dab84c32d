"""The engine itself: find a new enough `pulumi`, or get one, once a machine and outside any checkout.

Comes in: PATH, the Pulumi home. Goes out: a binary and its version. Three ways, in this order: one that is on
PATH, the official install, a build from the Go module proxy with the pinned `go.mod` beside this file. It says
which way it takes, since the last takes minutes. It never runs a program.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from semver import VersionInfo

from releasectl.errors import ControllerError

VERSION = VersionInfo.parse("3.258.0")  # the oldest that was measured, and the one that is built
BUILD = Path(__file__).with_name("engine_build")
MODULE = "github.com/pulumi/pulumi"
BUILD_TIMEOUT = 45 * 60.0  # seconds
HEARTBEAT = 30.0  # seconds between two words on a build that goes on

Say = Callable[[str], None]


class NoEngine(ControllerError):
    """No pulumi on this machine, and no way to get one.

    Why: Neither PATH nor the home of the person has a version that is new enough.
    Do: Run `make setup`, or install pulumi as its vendor says.
    """


@dataclass(frozen=True)
class Binary:
    """A pulumi that runs here."""

    path: Path
    version: str


def find() -> Binary:
    """The newest enough `pulumi` of PATH, or the one we installed. Raises NoEngine."""
    on_path = shutil.which("pulumi")
    if on_path and (version := _version_of(Path(on_path))) and version >= VERSION:
        return Binary(Path(on_path), str(version))
    ours = _home() / "bin" / "pulumi"
    if ours.is_file():
        return Binary(ours, str(VERSION))
    raise NoEngine(
        f"looking for pulumi {VERSION} or newer: it is neither on PATH nor in {_home()}",
        "Run `make setup`, or install it: https://www.pulumi.com/docs/install/",
    )


def install(say: Say) -> Binary:
    """Find the engine or get it; `say` hears what is happening. Raises NoEngine with every way that was tried."""
    try:
        found = find()
    except NoEngine:
        tried = [_try(say, way) for way in (_official, _build)]
    else:
        say(f"engine: pulumi {found.version} is here ({found.path})")
        return found
    try:
        return find()
    except NoEngine as error:
        causes = "; ".join(cause for cause in tried if cause)
        raise NoEngine(
            f"getting pulumi {VERSION}: {causes}",
            "Install it by hand (https://www.pulumi.com/docs/install/), or install Go and run `make setup` again.",
        ) from error


def _try(say: Say, way: Callable[[Say], None]) -> str:
    """What went wrong with one way, "" if it worked or was not needed."""
    if (_home() / "bin" / "pulumi").is_file():
        return ""
    try:
        way(say)
    except (OSError, subprocess.SubprocessError, NoEngine) as error:
        cause = f"{(way.__doc__ or '').split(':')[0]}: {error}"
        say(f"engine: {cause}")
        return cause
    return ""


def _official(say: Say) -> None:
    """the official install: downloads the release of the vendor, with all language hosts."""
    say(f"engine: downloading pulumi {VERSION} from its vendor into {_home()}")
    # Here alone: pulumi takes 0.3 s to import, and every command would pay it.
    from pulumi.automation import PulumiCommand  # noqa: PLC0415

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30.0)
    try:
        PulumiCommand.install(root=str(_home()), version=VERSION)
    finally:
        socket.setdefaulttimeout(before)


def _build(say: Say) -> None:
    """the build from source: needs Go and its module proxy."""
    go = shutil.which("go")
    if not go:
        raise NoEngine("`go` is not on PATH", "Install Go.")
    say(f"engine: building pulumi {VERSION} with Go, once for this machine: 5 to 8 minutes on two cores;")
    say("engine: every later run finds it ready")
    target = _home() / "bin"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="engine-", dir=target.parent) as folder:
        shutil.copytree(BUILD, folder, dirs_exist_ok=True)
        fresh = Path(folder) / "pulumi"
        # Without -X the Automation API refuses the binary: "Could not get Pulumi CLI version" (measured). And no
        # `go mod download` first: it asks for more than the build needs, which a proxy may not have (measured).
        flags = f"-s -w -X {MODULE}/sdk/v3/go/common/version.Version=v{VERSION}"
        argv = [go, "build", "-trimpath", "-ldflags", flags, "-o", str(fresh), f"{MODULE}/pkg/v3/cmd/pulumi"]
        _run_with_progress(argv, Path(folder), say)
        fresh.replace(target / "pulumi")
    say(f"engine: built {target / 'pulumi'}")


def _run_with_progress(argv: list[str], folder: Path, say: Say) -> None:
    """Minutes of silence look like a hang: say now and then what is going on."""
    log = folder / "build.log"
    begun = time.monotonic()
    with log.open("wb") as output:
        build = subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    while True:
        try:
            code = build.wait(timeout=HEARTBEAT)
            break
        except subprocess.TimeoutExpired:
            seconds = time.monotonic() - begun
            modules = log.read_text(errors="replace").count("go: downloading")
            say(f"engine: {seconds / 60:.1f} min, {modules} modules downloaded, still building")
            if seconds > BUILD_TIMEOUT:
                build.kill()
    if code:
        last = "\n".join(log.read_text(errors="replace").strip().splitlines()[-3:])
        raise NoEngine(f"`go build` ended with {code}: {last}", "Read the cause above.")


def _version_of(binary: Path) -> VersionInfo | None:
    try:
        done = subprocess.run([str(binary), "version"], capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return None
    found = re.search(r"\d+\.\d+\.\d+\S*", done.stdout)
    return VersionInfo.parse(found.group(0)) if found and VersionInfo.is_valid(found.group(0)) else None


def _home() -> Path:
    """The CLI's own place for versions, also when a sandbox gives the CLI another home for its logs."""
    return Path(os.path.expanduser("~")) / ".pulumi" / "versions" / str(VERSION)  # noqa: PTH111 - HOME, not the user's


if __name__ == "__main__":
    try:
        install(lambda line: print(line, file=sys.stderr, flush=True))
    except NoEngine as failure:
        sys.exit(f"{failure.message}\n  {failure.remedy}")
