"""Whatever is merged: a bump never builds again, and nothing that an environment reads waits for a deployment in vain.

The paths are those that the controller itself reads and writes, so one that is added to it fails here until the
workflows know it.
"""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releasectl import check, proposals
from releasectl.changes import changes, deploys
from releasectl.pipeline import Passable, hold_path, override_path, parse_pipeline, rejection_path
from releasectl.proposals import PROGRAM, Build
from releasectl.target import PIPELINE, release_path, settings_path
from tests.twins import release_file
from tests.workflows.files import PROJECT, Project, ours
from tests.workflows.triggers import Push, started

OURS = ours()
ENVIRONMENTS = [one.name for one in parse_pipeline(PIPELINE, (PROJECT / PIPELINE).read_bytes()).environments]
DEPLOYS = {f"deploy-{name}" for name in ENVIRONMENTS}
PAGES = sorted(path for path in OURS.paths if path.startswith("docs/") or re.fullmatch(r"[^/]+\.md", path))
CODE = sorted(changes(OURS.paths - set(PAGES)).code)

often = settings(max_examples=200, deadline=None)
environments = st.sampled_from(ENVIRONMENTS)
services = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
hexadecimal = st.text("0123456789abcdef", min_size=64, max_size=64)
digests = hexadecimal.map("sha256:".__add__)
commits = hexadecimal.map(lambda text: text[:40])
anything = st.lists(st.sampled_from([*CODE, *PAGES]) | st.text(min_size=1, max_size=30), max_size=5)


@st.composite
def data(draw: st.DrawFn) -> tuple[str, str]:
    """An environment, and a path that the controller reads for it."""
    name = draw(environments)
    ways = (
        st.just(release_path(name)),
        st.just(settings_path(name)),
        st.just(PIPELINE),
        st.just(hold_path(name)),
        st.builds(override_path, st.just(name), st.sampled_from(get_args(Passable))),
        st.builds(rejection_path, st.just(name), services, digests),
    )
    return name, draw(st.one_of(ways))


@often
@given(environments, st.builds(Build, services, digests, st.just("1.0.0"), commits), commits)
def test_a_bump_deploys_and_never_builds(name: str, build: Build, program: str) -> None:
    path, raw = release_path(name), release_file("", "", service=build.service)
    bumped = proposals.bump(path, raw, build=build, program=program, is_ancestor=lambda *_: False)

    assert bumped.files
    assert started(OURS, Push(list(bumped.files))) == {f"deploy-{name}"}


@often
@given(st.lists(data(), min_size=1))
def test_no_change_of_data_alone_starts_a_build(several: list[tuple[str, str]]) -> None:
    assert "build" not in started(OURS, Push([path for _, path in several]))


@often
@given(st.lists(data(), min_size=1), anything)
def test_nothing_that_an_environment_reads_is_merged_without_its_deployment(
    several: list[tuple[str, str]], more: list[str]
) -> None:
    files = [*more, *(path for _, path in several)]

    assert {f"deploy-{name}" for name, _ in several} <= started(OURS, Push(files))


@often
@given(data(), anything)
def test_a_job_s_own_token_starts_nothing_so_the_start_has_to_go_with_it(one: tuple[str, str], more: list[str]) -> None:
    assert started(OURS, Push([one[1], *more], by_token=True)) == set()


@often
@given(st.sampled_from(CODE), anything)
def test_every_file_of_code_starts_a_build_whatever_comes_with_it(path: str, more: list[str]) -> None:
    assert "build" in started(OURS, Push([path, *more]))


@often
@given(st.lists(st.sampled_from(PAGES), min_size=1))
def test_pages_alone_start_neither_a_build_nor_a_deployment(pages: list[str]) -> None:
    assert started(OURS, Push(pages)) == set()


def test_the_service_and_the_program_are_code() -> None:
    for part in ("service", *PROGRAM):
        assert any(path == part or path.startswith(f"{part}/") for path in CODE), part


@given(data())
def test_every_such_path_counts_as_data(one: tuple[str, str]) -> None:
    assert changes([one[1]]).is_data


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_deployment_waits_for_the_patterns_that_the_controller_tells(name: str) -> None:
    workflow = OURS.file(f".github/workflows/deploy-{name}.yml")

    assert workflow
    assert workflow.events["push"] == {"branches": ["main"], "paths": list(deploys(name))}


def test_every_folder_that_is_checked_is_waited_for() -> None:
    for name in ENVIRONMENTS:
        folders = {str(PurePosixPath(pattern).parent) for pattern in deploys(name)}
        assert folders == {".", "releases", *check.FOLDERS}


def without(project: Project, path: str, line: str) -> Project:
    """The project with one line of a workflow less."""
    lines = [each for each in project.texts[path].splitlines(keepends=True) if each.strip(' -"\n') != line]
    return Project({**project.texts, path: "".join(lines)})


def samples(name: str) -> Iterable[str]:
    """A path of each kind."""
    yield from (release_path(name), settings_path(name), PIPELINE, hold_path(name), override_path(name, "soak"))
    yield rejection_path(name, "web", "sha256:" + "a" * 64)


@pytest.mark.parametrize(("name", "pattern"), [(name, each) for name in ENVIRONMENTS for each in deploys(name)])
def test_each_pattern_is_needed_or_a_merge_would_deploy_nothing(name: str, pattern: str) -> None:
    project = without(OURS, f".github/workflows/deploy-{name}.yml", pattern)
    silent = [path for path in samples(name) if f"deploy-{name}" not in started(project, Push([path]))]

    assert len(silent) == 1


@pytest.mark.parametrize("pattern", ["releases/**", "Pulumi.*.yaml", "pipeline.yaml"])
def test_each_exception_of_the_build_is_needed_or_data_would_build(pattern: str) -> None:
    project = without(OURS, ".github/workflows/build.yml", pattern)

    assert any("build" in started(project, Push([path])) for path in samples(ENVIRONMENTS[0]))
