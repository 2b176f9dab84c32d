"""What a pipeline tells beside releases: the page of a version with its files, and one issue while a workflow fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Said
from tests.e2e.hub import RUN, Hub, without_aws

FILES = {"shop-1.0.0-py3-none-any.whl": b"a wheel", "shop-1.0.0.tar.gz": b"its sources"}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """v1.0.0 is a tag on main, and its files are built."""
    with without_aws(tmp_path) as hub:
        hub.tag("v1.0.0", hub.story.head)
        for name, content in FILES.items():
            (tmp_path / name).write_bytes(content)
        yield hub


def publish(hub: Hub, tag: str = "v1.0.0", **variables: str) -> Said:
    return hub.releasectl("publish", tag, *(str(hub.files / name) for name in FILES), **variables)


def pages(hub: Hub) -> list[tuple[str, bool, dict[str, int]]]:
    """Tag, whether it is only a draft, and the files with their sizes, of each."""
    shown = hub.github.state.releases.values()
    return [(one.given["tag_name"], one.given["draft"], {each.name: each.size for each in one.assets}) for one in shown]


PUBLISHED = ("v1.0.0", False, {name: len(content) for name, content in FILES.items()})


# ---- the page of a version ----


def test_a_version_gets_a_page_with_its_files_and_asked_again_nothing_is_there_twice(hub: Hub) -> None:
    first, again = publish(hub), publish(hub)

    assert (first.code, again.code) == (0, 0), first.err + again.err
    assert pages(hub) == [PUBLISHED]
    assert first.out == again.out == "https://github.example/team/shop/releases/tag/v1.0.0\n"
    [page] = hub.github.state.releases.values()
    assert (page.given["name"], page.given["make_latest"]) == ("v1.0.0", "true")
    assert [one.kind for one in page.assets][1] == "application/x-tar"
    published = [one for one in hub.github.events if one.name == "release"]
    assert [one.more["action"] for one in published] == ["published"]


def test_nobody_sees_a_page_without_its_files_and_the_next_run_completes_it(hub: Hub) -> None:
    hub.desk.order("broken", times=99, path="/assets$")

    failed = publish(hub, RELEASECTL_PATIENCE="0")
    seen = pages(hub)
    hub.desk.calm()
    mended = publish(hub)

    assert failed.code == 3
    assert seen == [("v1.0.0", True, {})]
    assert (mended.code, pages(hub)) == (0, [PUBLISHED]), mended.err


@pytest.mark.parametrize(
    ("kind", "path"), [("lost", "/releases$"), ("lost", "/assets$"), ("broken-after", "/assets$")]
)  # fmt: skip
def test_an_answer_that_was_lost_makes_nothing_twice(hub: Hub, kind: str, path: str) -> None:
    hub.desk.order(kind, method="POST", path=path)

    said = publish(hub)

    assert (said.code, pages(hub)) == (0, [PUBLISHED]), said.err


def test_an_older_version_is_published_and_is_not_the_latest(hub: Hub) -> None:
    hub.tag("v0.9.0", hub.story.head)
    hub.tag("v2.0.0-rc.1", hub.story.head)

    assert [publish(hub, tag).code for tag in ("v0.9.0", "v1.0.0")] == [0, 0]
    latest = {one.given["tag_name"]: one.given["make_latest"] for one in hub.github.state.releases.values()}
    assert latest == {"v0.9.0": "false", "v1.0.0": "true"}


def test_another_file_of_the_same_name_is_told_and_never_overwritten(hub: Hub) -> None:
    assert publish(hub).code == 0
    (hub.files / "shop-1.0.0.tar.gz").write_bytes(b"other sources")

    said = publish(hub)

    assert (said.code, pages(hub)) == (3, [PUBLISHED])
    assert "another file of this name is there" in said.err


def test_what_is_no_version_of_main_gets_no_page(hub: Hub) -> None:
    said = publish(hub, "v3.0.0")

    assert (said.code, pages(hub)) == (2, [])
    assert "the remote has no such tag" in said.err


# ---- the issue about a workflow that fails ----


def test_a_workflow_that_fails_is_one_issue_until_it_is_mended(hub: Hub) -> None:
    planted = hub.desk.issue("mallory", "Build fails on main", "<!-- release-controller: failed Build -->\nno")

    first, again = hub.releasectl("failed", "Build"), hub.releasectl("failed", "Build", GITHUB_RUN_ID="8")
    other = hub.releasectl("failed", "Release")
    _, during, _ = hub.issues()
    mended, nothing = hub.releasectl("failed", "Build", "--mended"), hub.releasectl("failed", "Build", "--mended")

    assert [said.code for said in (first, again, other, mended, nothing)] == [0] * 5, again.err
    assert first.out == again.out != other.out
    assert during[:2] == ("open", "Build fails on main")
    assert RUN.replace("/7", "/8") in during[2]
    assert [(state, title) for state, title, _ in hub.issues()] == [
        ("open", "Build fails on main"), ("closed", "Build fails on main"), ("open", "Release fails on main")
    ]  # fmt: skip
    assert RUN in hub.issues()[1][2], "the run that mended it"
    assert "no issue is open" in nothing.err
    assert hub.github.state.issues[planted].body.endswith("no"), "it is mallory's"


def test_a_failure_after_it_was_mended_is_an_issue_of_its_own(hub: Hub) -> None:
    for words in (("Build",), ("Build", "--mended"), ("Build",)):
        assert hub.releasectl("failed", *words).code == 0

    assert [state for state, _, _ in hub.issues()] == ["closed", "open"]


def test_the_name_of_a_workflow_is_only_a_name(hub: Hub) -> None:
    name = "--> <img src=x> @everyone [x](https://mallory.example)"

    assert [hub.releasectl("failed", "--", name).code for _ in range(2)] == [0, 0]
    [(_, _, body)] = hub.issues()
    assert not any(mark in body for mark in ("<img", "@everyone", "](https"))
    assert body.count("-->") == 1
