"""The demo: the main job of the project, played in a sandbox, one step after the other.

Comes in: a running sandbox and the project. Goes out: for each step its name, whether it held and how long it
took. Each step drives the real command line as a person or a workflow would and looks at the world afterwards; it
never looks inside the controller.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from releasectl.errors import ControllerError
from sandbox import image
from sandbox.image import Image
from sandbox.place import Sandbox
from sandbox.registry import Registry
from sandbox.remote import git

VERSION = "1.0.0"


class StepFailed(ControllerError):
    """A step of the demo did not come out as it should."""


@dataclass(frozen=True)
class Step:
    """One step as it went. `said` is a line for people."""

    step: str
    ok: bool
    seconds: float
    said: str


@dataclass
class Demo:
    """The story so far: what later steps need of earlier ones."""

    sandbox: Sandbox
    image: Image | None = None

    def steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Every step after `sandbox-ready`, in order."""
        yield "environments-created", self.environments_created
        yield "image-built", self.image_built
        yield "staging-bumped", self.staging_bumped
        yield "staging-released", self.staging_released
        yield "nothing-to-do", self.nothing_to_do

    def environments_created(self) -> str:
        """Pin the program in both empty release files; the loop makes registry and topic of each."""
        for environment in ("staging", "production"):
            self.releasectl("bump", "--program", "--environment", environment)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda name: self.releasectl("reconcile", name), ("staging", "production")))
        return "releases/staging.yaml and releases/production.yaml pin the program; registry and topic of each exist"

    def image_built(self) -> str:
        """Build the service and push it to staging's registry."""
        self.image = image.build(self.source, commit=self.commit, version=VERSION, cache=cache())
        repository = self.service("staging")["repository"]
        registry = Registry(self.sandbox.variables["AWS_ENDPOINT_URL"])
        image.push(self.image, registry, repository.partition("/")[2], [f"sha-{self.commit[:12]}"])
        return f"{self.image.digest[:19]} of commit {self.commit[:12]} is in {repository.partition('/')[2]}"

    def staging_bumped(self) -> str:
        """The bot's step after a build: one line of git changes."""
        said = self.releasectl("bump", "web", self.digest, "--commit", self.commit, "--version", VERSION)
        git(self.sandbox.clone, "pull", "--quiet", "--rebase", "origin", "main")
        expect(self.digest in (self.sandbox.clone / "releases/staging.yaml").read_text(), "main pins the digest")
        return str(said["reason"]) + " is pinned in releases/staging.yaml"

    def staging_released(self) -> str:
        """The merge wakes the loop: real `pulumi up`, then proof that what runs is what is pinned."""
        said = self.releasectl("reconcile", "staging")
        expect(said["phase"] == "live", f"the deployment is live, not {said['phase']}")
        service = self.service("staging")
        expect(service["runs"] == self.digest, "the runtime names the pinned digest")
        answer = httpx.get(f"{service['url']}/version", verify=self.sandbox.tls()).json()
        expect(answer["digest"] == self.digest, "the service itself names the pinned digest")
        expect(answer["commit"] == self.commit, "the service names the commit it was built from")
        return f"{service['url']} serves commit {answer['commit'][:12]}, proven"

    def nothing_to_do(self) -> str:
        """A second pass changes nothing and starts no engine."""
        before, records = self.checkpoints(), self.records()
        said = self.releasectl("reconcile", "staging")
        expect(said["action"] == "rest", f"the loop rests, not {said['action']}")
        expect(self.checkpoints() == before, "no state was written")
        expect(self.records() == records, "no deployment was recorded")
        return "a second reconcile changes nothing and starts no engine"

    @property
    def source(self) -> Path:
        """The service's source, as it is in the clone."""
        return self.sandbox.clone / "service"

    @property
    def commit(self) -> str:
        """The newest commit that changed the service."""
        return git(self.sandbox.clone, "log", "-1", "--format=%H", "--", "service")

    @property
    def digest(self) -> str:
        """Of the image that was built."""
        if self.image is None:
            raise StepFailed("looking for the image: it was not built", "Read the step `image-built`.")
        return self.image.digest

    def service(self, environment: str) -> dict[str, str]:
        """What `releasectl status` says of the one service."""
        said = json.loads(self.run("status", environment))
        service: dict[str, str] = said[0]["services"]["web"]
        return service

    def checkpoints(self) -> dict[str, int]:
        """Every file of the Pulumi state with its time: the engine writes some whenever it updates."""
        state = self.sandbox.folder / "state"
        logs = self.sandbox.folder / "pulumi-home" / "logs"  # the CLI writes one for every start
        files = [*state.rglob("*"), *logs.rglob("*")]
        return {str(path): path.stat().st_mtime_ns for path in files if path.is_file()}

    def records(self) -> str:
        """The tip of the branch of deployments."""
        return git(self.sandbox.remote, "rev-parse", "deployments")

    def releasectl(self, *arguments: str) -> dict[str, object]:
        """One command of the real command line, its JSON answer. Raises StepFailed."""
        answer: dict[str, object] = json.loads(self.run(*arguments))
        return answer

    def run(self, *arguments: str) -> str:
        """Standard output of `releasectl ... --json` in the clone."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("releasectl")), *arguments, "--json"],
            cwd=self.sandbox.clone, env=self.sandbox.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise StepFailed(
                f"running `releasectl {' '.join(arguments)}`: exit code {done.returncode}\n{done.stderr.strip()}",
                "Read its words above.",
            )
        return done.stdout


def play(sandbox: Sandbox) -> Iterator[Step]:
    """Every step, until one fails."""
    for name, act in Demo(sandbox).steps():
        step = timed(name, act)
        yield step
        if not step.ok:
            return


def timed(name: str, act: Callable[[], str]) -> Step:
    """One step with its time; an error of ours is the step's failure, never the demo's."""
    begun = time.monotonic()
    try:
        ok, said = True, act()
    except (ControllerError, httpx.HTTPError, KeyError, OSError) as error:
        remedy = f"\n  {error.remedy}" if isinstance(error, ControllerError) else ""
        ok, said = False, f"{error or type(error).__name__}{remedy}"
    return Step(name, ok, round(time.monotonic() - begun, 2), said)


def expect(held: bool, what: str) -> None:
    """A step's own claim about the world."""
    if not held:
        raise StepFailed(f"expecting that {what}: it does not hold", "Run `python -m sandbox up` and look around.")


def cache() -> Path:
    """Where layers are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "release-controller"
