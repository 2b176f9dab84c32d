"""What the program of an account declares: its bucket, keys and provider, and who may take which role."""

import json
from dataclasses import replace
from pathlib import Path

import pulumi
import pytest

from releasectl.account import ISSUER, Repository, Stage, parse_account
from tests.stacks.account_recording import ACCOUNT_OF_ALL, policies_of, record_account, settings_of, trust_of
from tests.stacks.iam import may_assume
from tests.stacks.recording_engine import ACCOUNT, Recording

CLASSIC, NUMBERED = "repo:acme/demo", "repo:acme@77/demo@4242"
MAIN = "refs/heads/main"
PREVIEW = "acme/demo/.github/workflows/preview.yml"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The account with both environments."""
    return record_account(tmp_path_factory.mktemp("account"))


def claims(subject: str, **more: str) -> dict[str, str]:
    """A token of a job on main."""
    return {"aud": "sts.amazonaws.com", "sub": subject, "repository_id": "4242", "ref": MAIN, **more}


def pull_request(subject: str = CLASSIC, workflow: str = f"{PREVIEW}@{MAIN}", **more: str) -> dict[str, str]:
    return claims(f"{subject}:pull_request", job_workflow_ref=workflow, **{"ref": "refs/pull/7/merge", **more})


def deployment(environment: str, subject: str = CLASSIC, **more: str) -> dict[str, str]:
    return claims(f"{subject}:environment:{environment}", environment=environment, **more)


TRUST = {
    "a deployment to staging": ("releasectl-staging-deploy", deployment("staging"), True),
    "one with the numbers in its subject": ("releasectl-staging-deploy", deployment("staging", NUMBERED), True),
    "a deployment to staging takes production's role": ("releasectl-production-deploy", deployment("staging"), False),
    "a deployment from another branch": ("releasectl-staging-deploy", deployment("staging", ref="refs/heads/x"), False),
    "a deployment from a tag": ("releasectl-staging-deploy", deployment("staging", ref="refs/tags/v1"), False),
    "main without the environment": ("releasectl-staging-deploy", claims(f"{CLASSIC}:ref:{MAIN}"), False),
    "a pull request deploys": ("releasectl-staging-deploy", pull_request(), False),
    "a pull request takes the build's role": ("releasectl-build", pull_request(), False),
    "another repository": ("releasectl-staging-deploy", deployment("staging", repository_id="1"), False),
    "one that begins with our name": ("releasectl-staging-deploy", deployment("staging", "repo:acme/demo-evil"), False),
    "one of the same name in another's hands": (
        "releasectl-staging-deploy",
        deployment("staging", "repo:acme@78/demo@4243", repository_id="4243"),
        False,
    ),
    "a token that is for somebody else": ("releasectl-staging-deploy", deployment("staging", aud="other"), False),
    "a preview by main's workflow": ("releasectl-staging-preview", pull_request(), True),
    "a preview with the numbers": ("releasectl-staging-preview", pull_request(NUMBERED), True),
    "a preview by the branch's own workflow": (
        "releasectl-staging-preview",
        pull_request(workflow=f"{PREVIEW}@refs/pull/7/merge"),
        False,
    ),
    "a preview by another workflow of main": (
        "releasectl-staging-preview",
        pull_request(workflow=f"acme/demo/.github/workflows/other.yml@{MAIN}"),
        False,
    ),
    "a preview of a program that was approved": (
        "releasectl-staging-preview",
        pull_request(environment="preview", sub=f"{CLASSIC}:environment:preview"),
        True,
    ),
    "a branch's own workflow in the same environment": (
        "releasectl-staging-preview",
        pull_request(
            workflow=f"{PREVIEW}@refs/pull/7/merge", environment="preview", sub=f"{CLASSIC}:environment:preview"
        ),
        False,
    ),
    "an approved preview that a person started on main": ("releasectl-staging-preview", deployment("preview"), True),
    "one that was started on a branch": (
        "releasectl-staging-preview",
        deployment("preview", ref="refs/heads/x"),
        False,
    ),
    # A fork's job gets no token; were there one, it would say the fork's number.
    "a preview of a fork": ("releasectl-staging-preview", pull_request(repository_id="9"), False),
    "a look for drift on main": ("releasectl-production-preview", claims(f"{CLASSIC}:ref:{MAIN}"), True),
    "a branch that calls itself main": (
        "releasectl-production-preview",
        claims("repo:acme/demo:ref:refs/heads/main-2", ref="refs/heads/main-2"),
        False,
    ),
    "a build on main": ("releasectl-build", claims(f"{NUMBERED}:ref:{MAIN}"), True),
    "a build of a branch": (
        "releasectl-build",
        claims(f"{CLASSIC}:ref:refs/heads/x", ref="refs/heads/x"),
        False,
    ),
    "a bump, with the bot's key": ("releasectl-build", deployment("release-bot"), True),
    "a tag's promotion takes the build's role": (
        "releasectl-build",
        deployment("release-bot", ref="refs/tags/v1.4.0"),
        False,
    ),
    "a deployment job builds": ("releasectl-build", deployment("staging"), False),
}


@pytest.mark.parametrize(("role", "token", "may"), TRUST.values(), ids=TRUST.keys())
def test_who_may_take_a_role(recording: Recording, role: str, token: dict[str, str], *, may: bool) -> None:
    assert may_assume(trust_of(recording, role), token, ISSUER) is may


def test_no_trust_has_a_pattern_and_each_names_subject_audience_and_repository(recording: Recording) -> None:
    roles = [one for one in recording.registrations if one.key[0] == "Role"]
    assert len(roles) == 5
    for role in roles:
        for statement in trust_of(recording, role.name)["Statement"]:
            assert list(statement["Condition"]) == ["StringEquals"]
            said = statement["Condition"]["StringEquals"]
            assert {f"{ISSUER}:aud", f"{ISSUER}:sub", f"{ISSUER}:repository_id"} <= set(said)
            forms = [one.split(":", 2)[1:] for one in said[f"{ISSUER}:sub"]]
            named = [[suffix for name, suffix in forms if name == form] for form in ("acme/demo", "acme@77/demo@4242")]
            assert named[0] == named[1] != []
            assert len(forms) == 2 * len(named[0])
            assert "*" not in json.dumps(statement)


def test_without_its_numbers_the_classic_subject_alone_is_trusted(tmp_path: Path) -> None:
    unknown = record_account(tmp_path, replace(ACCOUNT_OF_ALL, repository=Repository("acme/demo")))
    trust = trust_of(unknown, "releasectl-staging-deploy")

    assert may_assume(trust, deployment("staging"), ISSUER)
    assert not may_assume(trust, deployment("staging", NUMBERED), ISSUER)


def test_a_provider_that_was_there_is_named_and_is_no_resource(tmp_path: Path, recording: Recording) -> None:
    adopted = record_account(tmp_path, replace(ACCOUNT_OF_ALL, owns_provider=False))
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"

    assert recording.declared() - adopted.declared() == {("OpenIdConnectProvider", "github")}
    assert trust_of(adopted, "releasectl-build") == trust_of(recording, "releasectl-build")
    assert trust_of(adopted, "releasectl-build")["Statement"][0]["Principal"] == {"Federated": arn}
    assert adopted.outputs["provider"] == {"arn": arn, "owned": False}


def test_a_provider_of_ours_is_for_sts_alone_and_protected(recording: Recording) -> None:
    provider = recording.one("OpenIdConnectProvider", "github")

    assert (provider.inputs["url"], provider.inputs["clientIdLists"]) == (f"https://{ISSUER}", ["sts.amazonaws.com"])
    assert provider.protect


def test_the_bucket_keeps_versions_is_nobodys_and_is_encrypted_with_its_own_key(recording: Recording) -> None:
    versions = recording.one("BucketVersioning", "state").inputs["versioningConfiguration"]
    closed = recording.one("BucketPublicAccessBlock", "state").inputs
    [rule] = recording.one("BucketServerSideEncryptionConfiguration", "state").inputs["rules"]
    [kept] = recording.one("BucketLifecycleConfiguration", "state").inputs["rules"]

    assert versions == {"status": "Enabled"}
    switches = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    assert all(closed[switch] for switch in switches)
    assert rule["applyServerSideEncryptionByDefault"] == {
        "sseAlgorithm": "aws:kms",
        "kmsMasterKeyId": f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/state",
    }
    assert kept["noncurrentVersionExpiration"] == {"noncurrentDays": 90, "newerNoncurrentVersions": 20}
    assert "days" not in kept["expiration"]  # the newest version of a state never goes


def test_whatever_would_lose_a_state_is_protected_and_the_bucket_itself_is_no_resource(recording: Recording) -> None:
    kinds = {one.key[0] for one in recording.registrations if one.protect}

    assert {"BucketVersioning", "BucketPolicy", "BucketPublicAccessBlock", "Key", "Alias"} <= kinds
    assert "Bucket" not in {one.key[0] for one in recording.registrations}


def test_every_key_rotates_and_each_environment_has_one_of_its_own(recording: Recording) -> None:
    keys = {one.name: one.inputs for one in recording.registrations if one.key[0] == "Key"}

    assert set(keys) == {"state", "staging-secrets", "production-secrets"}
    assert all(key["enableKeyRotation"] and key["deletionWindowInDays"] == 30 for key in keys.values())


def test_everything_that_can_have_tags_says_that_bootstrap_made_it(recording: Recording) -> None:
    tagged = [
        one for one in recording.registrations if one.key[0] in ("Key", "Policy", "Role", "OpenIdConnectProvider")
    ]

    assert {one.inputs["tags"]["managed-by"] for one in tagged} == {"releasectl-bootstrap"}
    assert all(one.inputs.get("name", "releasectl-").startswith("releasectl-") for one in tagged)


def test_the_outputs_are_what_the_settings_and_github_need(recording: Recording) -> None:
    bucket = f"releasectl-{ACCOUNT}-eu-west-1"

    assert recording.outputs["environments"]["production"] == {
        "region": "eu-west-1",
        "backend": f"s3://{bucket}/production?region=eu-west-1&awssdk=v2",
        "secretsprovider": "awskms://alias/releasectl-production-secrets?region=eu-west-1",
        "boundary": f"arn:aws:iam::{ACCOUNT}:policy/releasectl-production-boundary",
        "preview": f"arn:aws:iam::{ACCOUNT}:role/releasectl-production-preview",
        "deploy": f"arn:aws:iam::{ACCOUNT}:role/releasectl-production-deploy",
    }
    assert recording.outputs["build"] == f"arn:aws:iam::{ACCOUNT}:role/releasectl-build"


def test_an_account_without_the_first_environment_has_no_role_for_builds(tmp_path: Path) -> None:
    alone = record_account(tmp_path, replace(ACCOUNT_OF_ALL, stages=(Stage("production", "staging"),)))

    assert "build" not in alone.outputs
    assert policies_of(alone, "releasectl-build") == []


def test_wrong_settings_are_told_in_words_before_anything_is_declared(tmp_path: Path) -> None:
    with pytest.raises(pulumi.RunError, match=r"Pulumi\.staging\.yaml.*`prot` is not a key"):
        record_account(tmp_path, settings={"staging": settings_of(more=", prot: 1")})


def test_a_fence_that_iam_would_not_take_is_told_with_what_makes_it_long(tmp_path: Path) -> None:
    secrets = ", ".join(
        f"S{n}: 'arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:{'long' * 20}{n:02}-AbCdEf'" for n in range(30)
    )
    with pytest.raises(
        pulumi.RunError, match=r"releasectl-staging-boundary: it has \d+ characters, and IAM takes 6144"
    ):
        record_account(tmp_path, settings={"staging": settings_of(more=f", secrets: {{{secrets}}}")})


def test_the_file_between_command_and_program_says_the_same_on_both_sides() -> None:
    assert parse_account(ACCOUNT_OF_ALL.as_json().encode()) == ACCOUNT_OF_ALL
