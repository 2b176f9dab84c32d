"""The demo: the main job of the project, played in a sandbox, one step after the other.

Comes in: a running sandbox. Goes out: for each step its name, whether it held and how long it took. Each step
drives the real command line as a person or a workflow would, and looks at the world afterwards.
"""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

from releasectl.errors import ControllerError
from sandbox import crash
from sandbox.hand import Hand
from sandbox.place import Sandbox

OWN = b'''"""The team's own resources: what the demo added."""

import pulumi
import pulumi_aws as aws


def own_resources(environment: str, *, parent: pulumi.Resource, topic: pulumi.Output[str]) -> None:
    """A topic of the team's own."""
    aws.sns.Topic("orders", name=f"orders-{environment}", opts=pulumi.ResourceOptions(parent=parent))
'''


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

    hand: Hand
    good: str = ""  # the digest that serves
    bad: str = ""  # the digest that failed
    branch: str = ""

    def steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Every step after `sandbox-ready`, in order."""
        yield "environments-created", self.environments_created
        yield "image-built", self.image_built
        yield "staging-bumped", self.staging_bumped
        yield "staging-released", self.staging_released
        yield "nothing-to-do", self.nothing_to_do
        yield "production-previewed", self.production_previewed
        yield "production-released", self.production_released
        yield "program-promoted", self.program_promoted
        yield "bad-release-rolled-back", self.bad_release_rolled_back
        yield "rejected-digest-refused", self.rejected_digest_refused
        yield "hold-respected", self.hold_respected
        yield "drift-found", self.drift_found
        yield "drift-remediated", self.drift_remediated
        yield "crash-recovered", self.crash_recovered

    def environments_created(self) -> str:
        """Pin the program in both empty release files; the loop makes registry and topic of each."""
        for environment in ("staging", "production"):
            self.run("bump", "--program", "--environment", environment)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda name: self.run("reconcile", name), ("staging", "production")))
        return "both release files pin the program; each environment has a registry and a topic, nothing runs yet"

    def image_built(self) -> str:
        """Build the service and push it to staging's registry."""
        self.good = self.hand.build("1.0.0").digest
        return f"{self.good[:19]} of commit {self.hand.source_commit[:12]} is in staging's registry"

    def staging_bumped(self) -> str:
        """The bot's step after a build: one line of git changes."""
        self.bump(self.good, "1.0.0")
        expect(self.good in self.hand.read("releases/staging.yaml").decode(), "main pins the digest")
        return "web 1.0.0 is pinned in releases/staging.yaml, by a commit on main"

    def staging_released(self) -> str:
        """The merge wakes the loop: real `pulumi up`, then proof that what runs is what is pinned."""
        self.reconcile("staging")
        service = self.hand.service("staging")
        expect(service["runs"] == self.good, "the runtime names the pinned digest")
        answer = httpx.get(f"{service['url']}/version", verify=self.hand.sandbox.tls()).json()
        expect(answer["digest"] == self.good, "the service itself names the pinned digest")
        expect(answer["commit"] == self.hand.source_commit, "the service names the commit it was built from")
        return f"{service['url']} serves commit {answer['commit'][:12]}, proven"

    def nothing_to_do(self) -> str:
        """A second pass changes nothing and starts no engine."""
        before = self.hand.state(), self.hand.refs(), self.hand.engine_starts()
        said = self.run("reconcile", "staging")
        expect(said["action"] == "rest", f"the loop rests, not {said['action']}")
        expect((self.hand.state(), self.hand.refs(), self.hand.engine_starts()) == before, "nothing was touched")
        return "a second reconcile changes nothing and starts no engine"

    def production_previewed(self) -> str:
        """What staging proved, as a branch for review, with a plan; nothing changes."""
        self.branch = str(self.run("promote", "production")["branch"])
        before = self.hand.state()
        self.hand.pull()
        counts = self.run("preview", "production", "--ref", f"origin/{self.branch}")["counts"]
        expect(set(counts) == {"create"}, f"the plan only creates, not {counts}")
        expect(self.hand.state() == before, "no state was written")
        return f"branch {self.branch} would create {counts['create']} resources"

    def production_released(self) -> str:
        """A person merges; the image comes into production's own registry, the same bytes."""
        self.hand.merge(self.branch)
        self.reconcile("production")
        production, staging = self.hand.service("production"), self.hand.service("staging")
        expect(production["runs"] == staging["runs"] == self.good, "both environments run the same digest")
        expect(production["repository"] != staging["repository"], "each has a registry of its own")
        return f"the same digest serves production, from {production['repository'].partition('/')[2]}"

    def program_promoted(self) -> str:
        """Infrastructure goes the way of images: a commit to stacks/, pinned in staging, promoted to production."""
        program = self.hand.commit({"stacks/own.py": OWN}, "A topic for orders")
        self.run("bump", "--program")
        self.reconcile("staging")
        self.hand.merge(str(self.run("promote", "production")["branch"]))
        self.reconcile("production")
        expect(program in self.hand.read("releases/production.yaml").decode(), "production pins the new program")
        return f"commit {program[:12]} of stacks/ was proven in staging and now declares production"

    def bad_release_rolled_back(self) -> str:
        """A build whose instance never gets healthy takes itself back: a commit, and its digest is rejected."""
        self.hand.commit({"service/NEWS": b"1.1.0 will not get healthy\n"}, "Break the service")
        self.bad = self.hand.build("1.1.0", WEB_FAIL="health").digest
        self.bump(self.bad, "1.1.0")
        said = self.run("reconcile", "staging", expected=1)
        expect(said["phase"] == "live", f"staging is live again, not {said['phase']}")
        expect(self.good in self.hand.read("releases/staging.yaml").decode(), "main pins the good digest again")
        rejected = self.hand.files("releases/rejected")
        expect(len(rejected) == 1 and self.bad in "".join(rejected.values()), "the bad digest is rejected")
        expect(self.hand.service("staging")["runs"] == self.good, "the good digest serves")
        return f"1.1.0 failed its proof; main pins 1.0.0 again, and {''.join(rejected)} says why"

    def rejected_digest_refused(self) -> str:
        """The bot offers the same digest again, and a rebuild of the same commit."""
        again = self.bump(self.bad, "1.1.0", expected=1)
        rebuild = self.bump(self.hand.build("1.1.1", WEB_FAIL="errors").digest, "1.1.1", expected=1)
        for answer in (again, rebuild):
            expect("rejected" in json.dumps(answer), "the answer names the rejection")
        return "neither that digest nor a rebuild of its commit is pinned again"

    def hold_respected(self) -> str:
        """A brake in seconds: a file on main; the loop waits, and goes on when it is lifted."""
        self.hand.commit({"service/NEWS": b"1.2.0 mends 1.1.0\n"}, "Mend the service")
        mended = self.hand.build("1.2.0").digest
        self.run("hold", "staging", "--reason", "the demo looks around")
        self.bump(mended, "1.2.0")
        held = self.run("reconcile", "staging", expected=4)
        expect(held["action"] == "wait", f"the loop waits, not {held['action']}")
        expect(self.hand.service("staging")["runs"] == self.good, "what runs is unchanged")
        self.run("hold", "staging", "--lift")
        self.reconcile("staging")
        expect(self.hand.service("staging")["runs"] == mended, "1.2.0 serves once the hold is lifted")
        return "1.2.0 waited while staging was held, and went live when the hold was lifted"

    def drift_found(self) -> str:
        """Somebody changes things past git; one look names each of them and writes nothing."""
        self.by_hand()
        before = self.hand.state(), self.hand.refs()
        found = self.run("drift", "staging", expected=1)
        told = [one["sentence"] for one in (*found["release"], *found["infrastructure"])]
        for words in (f"web runs {self.good}", "MetricAlarm web-latency: threshold is 9", "LifecyclePolicy web was de"):
            expect(sum(words in one for one in told) == 1, f"drift tells once: {words}")
        expect(len(told) == 3, f"it tells three differences, not {told}")
        expect((self.hand.state(), self.hand.refs()) == before, "nothing was written")
        return f"an older image, an alarm and a deleted policy: {told[-1]}"

    def drift_remediated(self) -> str:
        """A person asks, and the same release is deployed again."""
        fix = self.run("drift", "staging", "--remediate", "--reason", "the demo cleans up")
        expect((fix["kind"], fix["phases"][-1]["phase"]) == ("drift-fix", "live"), "the drift fix is live")
        clean = self.run("drift", "staging")
        expect(not clean["release"] and not clean["infrastructure"], "nothing differs any more")
        return f"{fix['services']['web']['version']} runs again, what was deleted is back, by deployment {fix['id']}"

    def by_hand(self) -> None:
        """Another image, another threshold, a policy less."""
        apprunner, cloudwatch = self.hand.client("apprunner"), self.hand.client("cloudwatch")
        name = "release-controller-staging-web"
        [service] = [one for one in apprunner.list_services()["ServiceSummaryList"] if one["ServiceName"] == name]
        arn = service["ServiceArn"]
        source = apprunner.describe_service(ServiceArn=arn)["Service"]["SourceConfiguration"]
        image = source["ImageRepository"]
        image["ImageIdentifier"] = f"{image['ImageIdentifier'].partition('@')[0]}@{self.good}"
        apprunner.update_service(ServiceArn=arn, SourceConfiguration=source)
        alarm = cloudwatch.describe_alarms(AlarmNames=[f"{name}-latency"])["MetricAlarms"][0]
        known = cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
        kept = {key: value for key, value in alarm.items() if key in known}
        cloudwatch.put_metric_alarm(**{**kept, "Threshold": 9000.0})
        self.hand.client("ecr").delete_lifecycle_policy(repositoryName=name)

    def crash_recovered(self) -> str:
        """Controller, worker and engine are killed inside an update; the next run goes on with what main says."""
        self.hand.commit({"service/NEWS": b"1.3.0 comes in spite of a crash\n"}, "Work on the service")
        wanted = self.hand.build("1.3.0").digest
        self.bump(wanted, "1.3.0")
        with crash.reconciling(self.hand) as controller:
            controller.until(crash.stepped("start", crash.SERVICE))
            controller.kill("controller", "worker", "engine")
        self.reconcile("staging")
        live, cut_off = self.run("history", "staging", "--count", "2")
        expect(cut_off["ended"] == "cut-off", "the record says that the first attempt was cut off")
        expect(live["identity"] == cut_off["identity"], "the second attempt is of the same release")
        expect(self.hand.service("staging")["runs"] == wanted, "1.3.0 serves")
        return f"killed inside the update, found dead, its lock taken away; 1.3.0 serves by deployment {live['id']}"

    def bump(self, digest: str, version: str, *, expected: int = 0) -> Any:
        """What the bot does after a build."""
        source = self.hand.source_commit
        return self.run("bump", "web", digest, "--commit", source, "--version", version, expected=expected)

    def reconcile(self, environment: str) -> None:
        """The loop, to a live deployment."""
        said = self.run("reconcile", environment)
        expect(said["phase"] == "live", f"{environment} is live, not {said['phase']}: {said['reason']}")

    def run(self, *arguments: str, expected: int = 0) -> Any:
        """One command of the real command line, its JSON answer. Raises StepFailed on another exit code."""
        said = self.hand.releasectl(*arguments, "--json")
        if said.code != expected:
            raise StepFailed(
                f"running `releasectl {' '.join(arguments)}`: exit code {said.code}\n{said.err.strip()}",
                "Read its words above.",
            )
        return said.json


def play(sandbox: Sandbox) -> Iterator[Step]:
    """Every step, until one fails."""
    for name, act in Demo(Hand(sandbox)).steps():
        step = timed(name, act)
        yield step
        if not step.ok:
            return


def timed(name: str, act: Callable[[], str]) -> Step:
    """One step with its time; an error of ours is the step's failure, never the demo's."""
    begun = time.monotonic()
    try:
        ok, said = True, act()
    except (ControllerError, httpx.HTTPError, KeyError, OSError, ValueError) as error:
        remedy = f"\n  {error.remedy}" if isinstance(error, ControllerError) else ""
        ok, said = False, f"{error or type(error).__name__}{remedy}"
    return Step(name, ok, round(time.monotonic() - begun, 2), said)


def expect(held: bool, what: str) -> None:
    """A step's own claim about the world."""
    if not held:
        raise StepFailed(f"expecting that {what}: it does not hold", "Run `python -m sandbox up` and look around.")
