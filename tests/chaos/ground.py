"""Where stories are played: a sandbox behind proxies, on small disks, with a rival's clone beside it.

Comes in: a new folder, the project. Goes out: a Ground on which main, the weather and runs of the controller can be
started; staging is created and nothing is released yet. Closing it leaves nothing, or all that a person needs to
look at a story that failed.
"""

import contextlib
import os
import shutil
import sys
import urllib.parse
from dataclasses import dataclass, replace
from pathlib import Path

from sandbox import place
from sandbox.hand import Hand
from sandbox.image import Image
from sandbox.place import Sandbox
from sandbox.process import LOOPBACK, Running, free_port, ready_line
from sandbox.process import start as start_part
from sandbox.remote import git
from tests.chaos import disk, processes, push_faults
from tests.chaos.disk import Disk
from tests.chaos.processes import RELEASECTL, Run
from tests.chaos.proxy import Proxy, Sky
from tests.chaos.story import Full, Http, Push, Weather

PROJECT = Path(__file__).resolve().parents[2]
_NOT_FOR_PARTS = ("SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy")  # as in sandbox/place.py


class CannotPlay(Exception):
    """The campaign's own machinery broke before a fault struck: no word about the controller."""


@dataclass
class Ground:
    """A place to play. `sandbox` leads through the proxies."""

    sandbox: Sandbox
    sky: Sky
    proxies: tuple[Proxy, ...]
    disks: dict[str, Disk]
    builds: int = 0
    released: str = ""  # the digest that runs
    taken_back: bool = False  # the newest build was

    @property
    def hand(self) -> Hand:
        """A person."""
        return Hand(self.sandbox)

    @property
    def folder(self) -> Path:
        """All of it."""
        return self.sandbox.folder

    @property
    def rival(self) -> Path:
        """A second clone."""
        return self.folder / "rival"

    @property
    def clones(self) -> tuple[Path, Path]:
        """Where controllers run."""
        return self.sandbox.clone, self.rival

    def build(self, **variables: str) -> Image:
        """An image of a new commit of the service."""
        self.builds += 1
        version = f"1.0.{self.builds}"
        self.hand.commit({"service/NEWS": f"{version}\n".encode()}, f"web {version}")
        return self.hand.build(version, **variables)

    def do(self, *arguments: str) -> None:
        """A person's command, which has to work. Raises CannotPlay."""
        said = self.hand.releasectl(*arguments)
        if said.code:
            raise CannotPlay(f"`releasectl {' '.join(arguments)}` ended with {said.code}: {said.err}")

    def start(self, name: str, *arguments: str, story: int, argv: tuple[str, ...] = (RELEASECTL,)) -> Run:
        """A run of the controller; the rival has a clone and a home of the engine of its own."""
        environment = {**self.sandbox.environment, "GIT_CONFIG_GLOBAL": os.devnull}
        clone = self.sandbox.clone
        if name == "rival":
            clone = self.rival
            environment |= {"PULUMI_HOME": str(self.folder / "rival-home")}
        folder = self.folder / "runs" / str(story)
        return processes.start([*argv, *arguments], name=name, folder=folder, clone=clone, environment=environment)

    def brings(self, weather: Weather | None) -> None:
        """Weather that needs no moment of its own; None is fair weather."""
        self.sky.brings(weather if isinstance(weather, Http) else None)
        push_faults.give(self.sandbox.remote, weather if isinstance(weather, Push) else None)
        for each in self.disks.values():
            each.free()

    def fills(self, full: Full) -> bool:
        """Fill a disk; False when there is none of its own."""
        if self.disks[full.place].unusable:
            return False
        self.disks[full.place].fill(full.left)
        return True

    def close(self, *, keep: bool) -> None:
        """End everything that was started here; with `keep`, all files stay."""
        for process in processes.marked(str(self.folder)):
            processes.send(process.pid, "KILL")
        for child in self.sandbox.children:
            child.stop()
        for proxy in self.proxies:
            proxy.close()
        for each in self.disks.values():
            _take_away(each, keep=keep)
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def opened(folder: Path, *, disks: bool = True) -> Ground:
    """A Ground in `folder`. Raises CannotPlay, SandboxBroken."""
    sandbox = place.up(folder, PROJECT)
    with contextlib.ExitStack() as stack:
        stack.callback(place.down, sandbox)
        sky = Sky()
        proxied, proxies = _behind_proxies(sandbox, sky)
        stack.pop_all()
    mounted = {
        "state": disk.mount(proxied.folder / "state") if disks else Disk(proxied.folder, "not asked for"),
        "work": disk.mount(proxied.clone / ".git" / "releasectl") if disks else Disk(proxied.folder, "not asked for"),
    }
    ground = Ground(proxied, sky, proxies, mounted)
    try:
        git(proxied.folder, "clone", "--quiet", str(proxied.remote), str(ground.rival))
        # Moments are seen by the files of refs, which a collection of garbage would pack.
        git(proxied.remote, "config", "gc.auto", "0")
        push_faults.install(proxied.remote)
        ground.do("bump", "--program")
        ground.do("reconcile", "staging")
    except BaseException:
        ground.close(keep=False)
        raise
    return ground


def _behind_proxies(sandbox: Sandbox, sky: Sky) -> tuple[Sandbox, tuple[Proxy, ...]]:
    """The same sandbox by way of proxies, and a provider of it that goes the same way."""
    ways = {
        "AWS_ENDPOINT_URL": "aws",
        "AWS_ENDPOINT_URL_CLOUDWATCH": "aws",
        "AWS_ENDPOINT_URL_APPRUNNER": "app runner",
    }
    proxies = {
        variable: Proxy(service, urllib.parse.urlsplit(sandbox.variables[variable]).port or 80, sky)
        for variable, service in ways.items()
    }
    changed = {variable: f"http://{LOOPBACK}:{proxy.port}" for variable, proxy in proxies.items()}
    provider = _provider(sandbox, changed)
    changed["PULUMI_DEBUG_PROVIDERS"] = f"aws:{provider.ready['port']}"
    return (
        replace(
            sandbox,
            variables={**sandbox.variables, **changed},
            processes={**sandbox.processes, "behind": provider.process.pid},
            children=(*sandbox.children, provider),
        ),
        tuple(proxies.values()),
    )


def _provider(sandbox: Sandbox, changed: dict[str, str]) -> Running:
    everything = {**os.environ, **sandbox.variables, **changed}
    environment = {name: value for name, value in everything.items() if name not in _NOT_FOR_PARTS}
    argv = [sys.executable, "-m", "sandbox.provider", "--port", str(free_port())]
    log = sandbox.folder / "provider-behind.log"
    return start_part("provider", argv, log=log, environment=environment, ready=ready_line)


def _take_away(each: Disk, *, keep: bool) -> None:
    """What lies on a small disk is gone with it, unless it is to be looked at."""
    if each.unusable:
        return
    kept = each.folder.with_name(f"{each.folder.name}-kept")
    if keep:
        each.free()
        shutil.copytree(each.folder, kept, symlinks=True)
    each.unmount()
    if keep:
        each.folder.rmdir()
        kept.rename(each.folder)
