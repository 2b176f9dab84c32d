"""Several services in one environment: one apply, one verdict each."""

import re

import pytest

from tests.e2e.conftest import Story

pytestmark = pytest.mark.nightly


def test_of_two_services_of_which_one_fails_both_go_back_and_only_that_one_is_rejected(story: Story) -> None:
    add_service(story, "api")
    good = {name: story.build_new("1.0.0", service=name) for name in ("web", "api")}
    pin(story, {name: built.digest for name, built in good.items()})
    assert story.releasectl("reconcile", "staging").code == 0
    assert story.last()["serving"] == {name: built.digest for name, built in good.items()}
    new = {
        "web": story.build_new("1.1.0", service="web"),
        "api": story.build_new("1.1.0", service="api", WEB_FAIL="health"),
    }
    pin(story, {name: built.digest for name, built in new.items()})

    said = story.releasectl("reconcile", "staging")

    back, failed = story.history(count=2)
    assert said.code == 1
    assert failed["health"] == {"web": "healthy", "api": "degraded"}
    assert back["serving"] == {name: built.digest for name, built in good.items()}
    assert list(story.files("releases/rejected")) == [f"staging-api-{new['api'].digest[7:19]}.yaml"]


def add_service(story: Story, name: str) -> None:
    """A person adds a service by hand, in the release files, the settings and the pipeline."""
    changes = {}
    for environment in ("staging", "production"):
        release = story.read(f"releases/{environment}.yaml").decode()
        empty = f'  {name}:\n    digest: ""\n    version: ""\n    commit: ""\n    restart: ""\n'
        changes[f"releases/{environment}.yaml"] = f"{release.rstrip()}\n{empty}".encode()
        settings = story.read(f"Pulumi.{environment}.yaml").decode()
        web = re.search(r"^    web:\n(?:      .*\n)+", settings, re.MULTILINE)
        assert web
        twin = web.group(0).replace("web:", f"{name}:", 1)
        changes[f"Pulumi.{environment}.yaml"] = settings.replace(web.group(0), web.group(0) + twin).encode()
    pipeline = story.read("pipeline.yaml").decode()
    changes["pipeline.yaml"] = f'{pipeline.rstrip()}\n  {name}:\n    repository: ""\n    path: service\n'.encode()
    story.commit(changes, f"Add {name}")
    made = story.releasectl("reconcile", "staging")
    assert made.code == 0, made.err


def pin(story: Story, digests: dict[str, str]) -> None:
    """Two pins in one commit."""
    text = story.read("releases/staging.yaml").decode()
    for name, digest in digests.items():
        text = re.sub(rf'(  {name}:\n    digest: )"[^"]*"', rf'\g<1>"{digest}"', text)
    story.commit({"releases/staging.yaml": text.encode()}, "Release both")
