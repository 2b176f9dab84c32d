"""The jobs of the workflows, each by the commands that its steps run, in a sandbox whose remote stands on GitHub.

Comes in: a hub. Goes out: what each job said, images in the registry as build.yml pushes them, and what AWS itself
says that it runs. No workflow is read here: that they run these commands is proven where workflows are.
"""

from dataclasses import dataclass
from typing import Any

import httpx

from sandbox import image
from sandbox.hand import cache
from sandbox.image import Image
from sandbox.registry import Registry
from tests.e2e.by_hand import NAME
from tests.e2e.conftest import Said, Story
from tests.e2e.hub import Hub


@dataclass(frozen=True)
class Built:
    """An image of a commit, in the registry under the names that it was to get."""

    image: Image
    commit: str

    @property
    def digest(self) -> str:
        return self.image.digest

    @property
    def hex(self) -> str:
        """Of the digest, as it can be read where its colon is an entity."""
        return self.digest.removeprefix("sha256:")


@dataclass(frozen=True)
class Bumped:
    """A build, its pull request while it waited for the check, and what was said after the check."""

    built: Built
    number: int
    commit: str
    waited: Said
    merged: Said


@dataclass(frozen=True)
class Jobs:
    """The jobs of the workflows, each by the commands that its steps run."""

    hub: Hub

    @property
    def story(self) -> Story:
        return self.hub.story

    def build(self, news: str, **variables: str) -> Built:
        """build.yml: of a commit that changes the service."""
        self.story.commit({"service/NEWS": news.encode()}, news)
        asked = self.hub.releasectl("image", "web", "--ref", "refs/heads/main")
        assert (asked.code, self.hub.output("build")) == (0, ["true"]), asked.err
        [commit] = self.hub.output("commit")
        made = image.build(
            self.story.sandbox.clone / "service", commit=commit, version="", cache=cache(), variables=variables
        )
        self.push(made, self.hub.output("tags"))
        return Built(made, commit)

    def push(self, made: Image, names: list[str]) -> None:
        """Under names such as REPOSITORY:main."""
        repositories = {name.rpartition(":")[0].partition("/")[2] for name in names}
        registry = Registry(self.story.sandbox.variables["AWS_ENDPOINT_URL"])
        for repository in repositories:
            image.push(made, registry, repository, [name.rpartition(":")[2] for name in names])

    def bump(self, built: Built) -> Bumped:
        """build.yml, as the App: by a pull request that is merged once its check passed."""
        ask = ("bump", "web", built.digest, "--commit", built.commit, "--pull-request", "merge", "--json")
        waited = self.hub.releasectl(*ask, **self.hub.app())
        assert waited.code == 4, waited.err
        pull = waited.json["pull"]
        self.hub.desk.check(pull["commit"], "checks")
        return Bumped(built, pull["number"], pull["commit"], waited, self.hub.releasectl(*ask, **self.hub.app()))

    def deploy(self, environment: str) -> Said:
        """reconcile.yml."""
        return self.hub.releasectl("reconcile", environment, "--github")

    def names(self, digest: str) -> set[str]:
        """The tags of an image in staging's registry, as ECR has them."""
        told = self.story.client("ecr").describe_images(repositoryName=NAME, imageIds=[{"imageDigest": digest}])
        return set(told["imageDetails"][0]["imageTags"])

    def runs(self, environment: str) -> tuple[str, Any]:
        """The digest that App Runner itself has, and what the service says of itself to whoever asks."""
        client = self.story.client("apprunner")
        listed = client.list_services()["ServiceSummaryList"]
        [arn] = [one["ServiceArn"] for one in listed if f"-{environment}-" in one["ServiceName"]]
        service = client.describe_service(ServiceArn=arn)["Service"]
        ran = str(service["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"])
        url = f"https://{service['ServiceUrl']}/version"
        return ran.rpartition("@")[2], httpx.get(url, verify=self.story.sandbox.tls(), trust_env=False).json()

    def require_runs(self, environment: str, built: Built) -> None:
        digest, says = self.runs(environment)
        assert digest == built.digest
        assert (says["digest"], says["commit"]) == (built.digest, built.commit)

    def told(self, number: int, environment: str) -> str:
        """The one comment that tells what became of a pull request in an environment."""
        marker = f"<!-- release-controller: release {environment} -->\n"
        [body] = [body for body in self.hub.comments(number) if body.startswith(marker)]
        return body
