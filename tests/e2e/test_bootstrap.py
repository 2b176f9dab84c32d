"""An account is made ready by the command line: real engine, its state in the bucket that it makes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import place
from sandbox.hand import Hand, Said
from tests.e2e.conftest import PROJECT, told

pytestmark = pytest.mark.nightly

ACCOUNT = "000000000000"
BUCKET = f"releasectl-{ACCOUNT}-eu-west-1"
ISSUER = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"
NUMBERS = ("--repository-id", "4242", "--owner-id", "77")
DEMO = ("--repository", "acme/demo")
ONE = (*DEMO, "--environment", "staging")
# Nobody answers there, so that no test depends on whether GitHub does.
NOBODY = {"GITHUB_API_URL": "http://127.0.0.1:1"}


class Admin(Hand):
    """An administrator in a clone, whose own backend must not matter."""

    def bootstrap(self, *arguments: str, **changed: str | None) -> Said:
        return self.releasectl("bootstrap", *arguments, **{**NOBODY, **changed})

    def made(self) -> dict[str, Any]:
        """All that bootstrap may have made, by name."""
        iam, kms, s3 = (self.client(service) for service in ("iam", "kms", "s3"))
        aliases = kms.list_aliases()["Aliases"]
        policies = iam.list_policies(Scope="Local")["Policies"]
        return {
            "buckets": [one["Name"] for one in s3.list_buckets()["Buckets"]],
            "roles": sorted(one["RoleName"] for one in iam.list_roles()["Roles"]),
            "policies": sorted(one["PolicyName"] for one in policies),
            "aliases": sorted(one["AliasName"] for one in aliases if "releasectl" in one["AliasName"]),
            "keys": len(kms.list_keys()["Keys"]),
            "providers": [one["Arn"] for one in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]],
        }

    def objects(self, prefix: str = "") -> list[str]:
        found = self.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [one["Key"] for one in found.get("Contents", ())]


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    """An account in which another team uses GitHub's provider already, and somebody has a role of our name."""
    sandbox = place.up(tmp_path_factory.mktemp("sandbox"), PROJECT)
    try:
        hand = Admin(sandbox)
        iam = hand.client("iam")
        iam.create_open_id_connect_provider(
            Url=f"https://{ISSUER}", ClientIDList=["sts.amazonaws.com"], Tags=[{"Key": "team", "Value": "other"}]
        )
        yield hand
    finally:
        place.down(sandbox)


def test_a_person_is_shown_which_account_it_is_and_what_would_be_made_and_nothing_is(admin: Admin) -> None:
    before = admin.made()
    said = admin.bootstrap(*DEMO, "--preview", "--json")

    assert said.code == 0, said.err
    assert f"AWS account {ACCOUNT}, as arn:aws:iam::{ACCOUNT}:" in said.err
    assert (said.json["makes_bucket"], said.json["owns_provider"], said.json["bucket"]) == (True, False, BUCKET)
    assert {one["operation"] for one in said.json["changes"]} == {"create"}
    unasked = admin.bootstrap(*DEMO)
    assert (unasked.code, unasked.out) == (2, "")
    assert "Nothing was changed. Next: releasectl bootstrap --yes" in unasked.err
    assert admin.made() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param((), "The remote `origin` is no repository on GitHub", id="no repository"),
        pytest.param(("--repository", "demo"), "'demo' is not OWNER/NAME", id="no name"),
        pytest.param((*DEMO, "--owner-id", "x"), "'x' is no number", id="no number"),
        pytest.param((*DEMO, "--environment", "stagign"), "did you mean `staging`?", id="no environment"),
    ],
)
def test_wrong_usage_is_told_before_aws_is_asked(admin: Admin, arguments: tuple[str, ...], said: str) -> None:
    answer = admin.bootstrap(*arguments, "--yes", AWS_ENDPOINT_URL="http://127.0.0.1:1")

    assert answer.code == 2
    assert said in answer.err


def test_without_credentials_it_says_so(admin: Admin) -> None:
    nobody = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}

    told(admin.bootstrap(*DEMO, "--yes", "--json", **nobody), "AwsDenied", 3)


def test_what_aws_refuses_is_told_the_rest_is_done_and_the_next_run_goes_on(admin: Admin) -> None:
    iam = admin.client("iam")
    nobody = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam.create_role(RoleName="releasectl-build", AssumeRolePolicyDocument=nobody)

    refused = admin.bootstrap(*DEMO, *NUMBERS, "--yes", "--json")

    told(refused, "CannotFinish", 3)
    assert "releasectl-build" in refused.json["message"]
    assert "releasectl-staging-deploy" in admin.made()["roles"]
    assert json.loads(json.dumps(iam.get_role(RoleName="releasectl-build")["Role"].get("Tags", []))) == []

    iam.delete_role(RoleName="releasectl-build")
    done = admin.bootstrap(*DEMO, "--yes", "--json")
    assert done.code == 0, done.err
    assert done.json["changed"]
    assert done.json["github"]["variables"]["AWS_BUILD_ROLE"] == f"arn:aws:iam::{ACCOUNT}:role/releasectl-build"


def test_run_again_from_another_clone_it_finds_its_state_and_changes_nothing(admin: Admin, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", str(admin.sandbox.remote), str(tmp_path / "other")], check=True)
    before, objects = admin.made(), admin.objects()
    environment = {**admin.sandbox.environment, **NOBODY, "PULUMI_CONFIG_PASSPHRASE": "a person's own"}
    command = [str(Path(sys.executable).with_name("releasectl")), "bootstrap", *DEMO, "--yes", "--json"]
    done = subprocess.run(
        command, cwd=tmp_path / "other", env=environment, capture_output=True, text=True, check=False, timeout=300
    )

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["changed"], said["written"]) == (False, [])
    assert said["github"]["repository"] == {"name": "acme/demo", "id": "4242", "owner_id": "77"}  # nobody said it again
    assert (admin.made(), admin.objects()) == (before, objects)


def test_a_provider_that_was_there_is_used_and_left_as_it_was(admin: Admin) -> None:
    iam = admin.client("iam")
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER)
    trust = iam.get_role(RoleName="releasectl-staging-deploy")["Role"]["AssumeRolePolicyDocument"]
    state = json.loads(admin.client("s3").get_object(Bucket=BUCKET, Key=state_key())["Body"].read())
    types = {one["type"] for one in state["checkpoint"]["latest"]["resources"]}

    assert admin.made()["providers"] == [PROVIDER]
    assert found["Tags"] == [{"Key": "team", "Value": "other"}]
    assert trust["Statement"][0]["Principal"] == {"Federated": PROVIDER}
    assert "aws:kms/key:Key" in types
    assert "aws:iam/openIdConnectProvider:OpenIdConnectProvider" not in types


def state_key() -> str:
    return ".pulumi/stacks/release-controller-bootstrap/account.json"


def test_the_bucket_is_as_a_state_needs_it_and_its_own_state_has_no_secret(admin: Admin) -> None:
    s3 = admin.client("s3")

    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())
    [rule] = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert "OverTls" in s3.get_bucket_policy(Bucket=BUCKET)["Policy"]
    assert b"4dabf18193072939515e22adb298388d" not in s3.get_object(Bucket=BUCKET, Key=state_key())["Body"].read()


def test_an_account_of_another_repository_is_not_taken_over_by_mistake(admin: Admin) -> None:
    before = admin.made()
    subprocess.run(
        ["git", "-C", str(admin.sandbox.clone), "remote", "add", "hub", "git@github.com:acme/other.git"], check=True
    )
    git = ["git", "-C", str(admin.sandbox.clone), "remote", "set-url", "origin"]
    try:
        subprocess.run([*git, "https://github.com/acme/other.git"], check=True)
        told(admin.bootstrap("--yes", "--json"), "CannotBootstrap", 2)
    finally:
        subprocess.run([*git, str(admin.sandbox.remote)], check=True)
    assert admin.made() == before


@pytest.mark.parametrize("account", ["111111111111", ACCOUNT])
def test_a_bucket_that_is_somebody_elses_or_something_else_is_not_touched(admin: Admin, account: str) -> None:
    s3 = admin.client("s3")
    s3.create_bucket(Bucket="photos", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="photos", Key="a.jpg", Body=b"a")

    answer = admin.bootstrap(*DEMO, "--bucket", "photos", "--yes", "--json", AWS_ACCESS_KEY_ID=account)

    told(answer, "BucketTaken", 2)
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="photos")["Contents"]] == ["a.jpg"]
    s3.delete_object(Bucket="photos", Key="a.jpg")
    s3.delete_bucket(Bucket="photos")


def test_an_environment_lives_in_the_bucket_with_its_secrets_under_its_own_key(admin: Admin) -> None:
    """As the command says: what it writes is committed, then the stack is made with the key."""
    written = admin.bootstrap(*DEMO, "--yes", "--write", "--json")
    assert written.json["written"] == ["Pulumi.staging.yaml", "Pulumi.production.yaml"]
    staging = admin.sandbox.clone / "Pulumi.staging.yaml"
    plain = [line for line in staging.read_text().splitlines() if not line.startswith("encryptionsalt")]
    provider = written.json["settings"]["staging"]["secretsprovider"]
    staging.write_text("\n".join(plain).replace("    email: []", "    email: []\n    encrypt: false") + "\n")
    backend = written.json["settings"]["staging"]["release-controller:backend"]
    environment = {**admin.sandbox.environment, "PULUMI_BACKEND_URL": backend}
    init = ["pulumi", "stack", "init", "staging", "--secrets-provider", provider, "--non-interactive"]
    subprocess.run(init, cwd=admin.sandbox.clone, env=with_engine(environment), check=True, capture_output=True)
    admin_commit(admin, {"Pulumi.staging.yaml": staging.read_bytes()})

    assert admin.releasectl("bump", "--program", PULUMI_BACKEND_URL=None).code == 0
    done = admin.releasectl("reconcile", "staging", PULUMI_BACKEND_URL=None, PULUMI_CONFIG_PASSPHRASE=None)

    assert done.code == 0, done.err
    assert "staging/.pulumi/stacks/release-controller/staging.json" in admin.objects("staging/")
    raw = admin.client("s3").get_object(Bucket=BUCKET, Key="staging/.pulumi/stacks/release-controller/staging.json")
    state = json.loads(raw["Body"].read())["checkpoint"]["latest"]
    assert state["secrets_providers"]["state"]["url"] == provider


def admin_commit(admin: Admin, changes: dict[str, bytes]) -> None:
    """`commit` begins with the clone as main is."""
    admin.commit(changes, "The account is ready")


def with_engine(environment: dict[str, str]) -> dict[str, str]:
    from releasectl.edges.engine import find  # noqa: PLC0415

    return environment | {"PATH": f"{find().path.parent}{os.pathsep}{environment['PATH']}"}


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Admin]:
    """An account in which nothing is."""
    sandbox = place.up(tmp_path / "sandbox", PROJECT)
    try:
        yield Admin(sandbox)
    finally:
        place.down(sandbox)


def test_a_run_that_was_killed_half_way_is_gone_on_with_and_nothing_is_made_twice(fresh: Admin) -> None:
    command = [str(Path(sys.executable).with_name("releasectl")), "bootstrap", *ONE, *NUMBERS, "--yes"]
    environment = {**fresh.sandbox.environment, **NOBODY}
    running = subprocess.Popen(
        command, cwd=fresh.sandbox.clone, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    kill_half_way(fresh, running)
    half = fresh.made()
    assert half["buckets"] == [BUCKET]
    assert len(half["roles"]) < 3

    again = fresh.bootstrap(*ONE, "--yes", "--json")

    assert again.code == 0, again.err
    assert "taking away the lock of a dead engine" in again.err
    whole = fresh.made()
    assert len(whole["roles"]) == 3
    assert (whole["keys"], len(whole["aliases"]), whole["providers"]) == (2, 2, [PROVIDER])
    third = fresh.bootstrap(*ONE, "--yes", "--json")
    assert (third.code, third.json["changed"]) == (0, False), third.err


def kill_half_way(fresh: Admin, running: "subprocess.Popen[bytes]") -> None:
    """Controller, worker and engine at once, as a host dies: when something is there and not all is."""
    end = time.monotonic() + 120
    while not fresh.made()["policies"]:
        assert time.monotonic() < end, "nothing was made"
        assert running.poll() is None, "it ended before it could be killed"
        time.sleep(0.05)
    s3 = fresh.client("s3")
    [key] = fresh.objects(".pulumi/locks/")
    engine = json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())["pid"]
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(running.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    for pid in (running.pid, *map(int, found), engine):
        os.kill(pid, signal.SIGKILL)
    running.wait()
