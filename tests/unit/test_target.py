"""What an environment should run at one commit: release, settings and their identity."""

from collections.abc import Mapping

import pytest

from releasectl.errors import InvalidFile
from releasectl.pipeline import UnknownEnvironment
from releasectl.target import MissingFile, read_pipeline, read_target
from tests.twins import PIPELINE, SETTINGS, Desired, digest, release_file

PROGRAM = "b" * 40
FILES = {
    "pipeline.yaml": PIPELINE,
    "releases/staging.yaml": release_file(PROGRAM, digest("A")),
    "Pulumi.staging.yaml": SETTINGS,
}


def desired(changes: Mapping[str, bytes]) -> tuple[Desired, str]:
    git = Desired()
    return git, git.merge({**FILES, **changes})


def identity(changes: Mapping[str, bytes]) -> str:
    git, commit = desired(changes)
    return read_target(git, commit, "staging").identity


def test_a_target_holds_what_the_controller_needs_and_the_bytes_it_came_from() -> None:
    git, commit = desired({})
    target = read_target(git, commit, "staging")

    assert (target.environment, target.commit, target.policy.name) == ("staging", commit, "staging")
    assert target.policy.watch.total_seconds() == 5.0
    assert target.release.services["web"].digest == digest("A")
    assert target.is_created
    assert target.files == {path: FILES[path] for path in ("releases/staging.yaml", "Pulumi.staging.yaml")}
    assert target.variables == {"PULUMI_BACKEND_URL": "", "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}
    assert target.secrets_provider == ""


def test_backend_and_secrets_provider_come_from_the_settings() -> None:
    settings = b"secretsprovider: awskms://alias/x\nconfig:\n  release-controller:backend: s3://bucket\n"
    git, commit = desired({"Pulumi.staging.yaml": settings})
    target = read_target(git, commit, "staging")

    assert target.variables["PULUMI_BACKEND_URL"] == "s3://bucket"
    assert target.secrets_provider == "awskms://alias/x"


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        pytest.param("releases/staging.yaml", release_file(PROGRAM, digest("B")), id="digest"),
        pytest.param("releases/staging.yaml", release_file("a" * 40, digest("A")), id="program"),
        pytest.param(
            "releases/staging.yaml", release_file(PROGRAM, digest("A"), restart="2026-11-21T12:00:00Z"), id="restart"
        ),
        pytest.param("Pulumi.staging.yaml", SETTINGS + b"  x: 1\n", id="settings"),
    ],
)
def test_what_decides_what_runs_is_in_the_identity(path: str, raw: bytes) -> None:
    assert identity({path: raw}) != identity({})


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        pytest.param("README.md", b"x", id="other files"),
        pytest.param("pipeline.yaml", PIPELINE.replace(b"watch: 5s", b"watch: 9s"), id="policy"),
        pytest.param("releases/staging.yaml", b"# words\n" + FILES["releases/staging.yaml"], id="comments"),
        pytest.param("releases/staging.yaml", release_file(PROGRAM, digest("A"), commit="c" * 40), id="labels"),
        pytest.param("Pulumi.staging.yaml", SETTINGS + b"encryptionsalt: v1:x\n", id="what Pulumi writes itself"),
    ],
)
def test_what_does_not_decide_what_runs_is_not_in_the_identity(path: str, raw: bytes) -> None:
    assert identity({path: raw}) == identity({})


def test_settings_have_an_identity_of_their_own() -> None:
    git, commit = desired({})
    other = git.merge({"Pulumi.staging.yaml": SETTINGS + b"  x: 1\n"})
    third = git.merge({"Pulumi.staging.yaml": SETTINGS, "releases/staging.yaml": release_file(PROGRAM, digest("B"))})
    identities = [read_target(git, each, "staging").settings_identity for each in (commit, other, third)]

    assert identities[0] == identities[2] != identities[1]


def test_without_a_program_nothing_is_created_yet() -> None:
    git, commit = desired({"releases/staging.yaml": release_file("", "")})

    assert not read_target(git, commit, "staging").is_created


def test_files_that_are_missing_are_named_with_commit_and_remedy() -> None:
    git, commit = desired({})

    with pytest.raises(MissingFile) as caught:
        read_target(git, commit, "production")
    assert caught.value.message == f"reading releases/production.yaml at {commit[:12]}: it is not there"
    assert caught.value.remedy.startswith("Add releases/production.yaml")

    empty = Desired()
    with pytest.raises(MissingFile, match=r"pipeline\.yaml"):
        read_pipeline(empty, empty.merge({}))


def test_an_environment_that_the_pipeline_does_not_have_is_unknown() -> None:
    git, commit = desired({})

    with pytest.raises(UnknownEnvironment, match="did you mean `staging`"):
        read_target(git, commit, "stagin")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param(b"config: 7\n", "is no mapping", id="config is a number"),
        pytest.param(b"config: []\n", "is no mapping", id="config is a list"),
        pytest.param(b"config: {a: 1\n", "Pulumi.staging.yaml", id="no YAML"),
    ],
)
def test_settings_that_cannot_be_read_are_told_with_their_place(raw: bytes, words: str) -> None:
    git, commit = desired({"Pulumi.staging.yaml": raw})

    with pytest.raises(InvalidFile, match=words):
        read_target(git, commit, "staging")


def test_settings_without_config_are_empty_settings() -> None:
    git, commit = desired({"Pulumi.staging.yaml": b"encryptionsalt: v1:x\n"})

    assert read_target(git, commit, "staging").settings == {}
