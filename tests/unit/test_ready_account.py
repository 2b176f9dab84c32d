"""What a person is told to set, as text and as data."""

from releasectl.edit import edit
from releasectl.ready_account import Ready

ONE = {
    "region": "eu-west-1",
    "backend": "s3://b/eu?region=eu-west-1&awssdk=v2",
    "secretsprovider": "awskms://alias/releasectl-eu-secrets?region=eu-west-1",
    "boundary": "arn:aws:iam::123456789012:policy/releasectl-eu-boundary",
    "preview": "arn:aws:iam::123456789012:role/releasectl-eu-preview",
    "deploy": "arn:aws:iam::123456789012:role/releasectl-eu-deploy",
}
OUTPUTS = {
    "account": "123456789012",
    "bucket": "b",
    "repository": {"name": "acme/demo", "id": "42", "owner_id": "7"},
    "provider": {"arn": "arn", "owned": True},
    "environments": {"a-first": ONE, "eu-1": ONE},
    "build": "arn:aws:iam::123456789012:role/releasectl-build",
}


def test_environments_are_in_the_order_of_the_pipeline() -> None:
    assert list(Ready.of(OUTPUTS, ["eu-1", "a-first"]).environments) == ["eu-1", "a-first"]


def test_names_of_variables_are_those_that_github_takes() -> None:
    made = Ready.of(OUTPUTS, ["eu-1"])

    assert made.variables() == {
        "AWS_BUILD_ROLE": OUTPUTS["build"],
        "AWS_PREVIEW_ROLE_EU_1": ONE["preview"],
        "AWS_REGION_EU_1": "eu-west-1",
    }
    assert made.of_environments() == {"eu-1": {"AWS_DEPLOY_ROLE": ONE["deploy"], "AWS_REGION": "eu-west-1"}}


def test_an_account_without_the_first_environment_has_no_role_for_builds() -> None:
    outputs = {key: value for key, value in OUTPUTS.items() if key != "build"}

    assert "AWS_BUILD_ROLE" not in Ready.of(outputs, ["eu-1"]).variables()


def test_the_text_has_every_line_for_the_settings_and_every_command() -> None:
    text = Ready.of(OUTPUTS, ["eu-1"]).text(["Pulumi.eu-1.yaml"])

    assert "In Pulumi.eu-1.yaml, below `config:` (written):" in text
    assert f"  release-controller:backend: {ONE['backend']}" in text
    assert f"--secrets-provider '{ONE['secretsprovider']}'" in text
    assert f"gh variable set AWS_DEPLOY_ROLE --repo acme/demo --env eu-1 --body {ONE['deploy']}" in text


def test_every_environment_of_github_is_made_for_the_jobs_that_it_is_for_and_no_others() -> None:
    text = Ready.of(OUTPUTS, ["eu-1"]).text([])
    made = [line.split()[-1] for line in text.splitlines() if "--method PUT" in line]

    assert set(made) == {".github/environments/chosen-refs.json"}
    for name, ref in (("eu-1", "name=main"), ("release-bot", "'name=v*'"), ("preview", "'name=refs/pull/*/merge'")):
        assert f"gh api --method PUT repos/acme/demo/environments/{name} --input" in text
        assert f"environments/{name}/deployment-branch-policies -f {ref} -f type=" in text


def test_the_settings_are_changed_in_their_two_scalars_alone() -> None:
    before = b'config:\n  # mine\n  release-controller:backend: ""  # x\n  release-controller:boundary: ""\n  a: 1\n'
    after = edit("f", before, Ready.of(OUTPUTS, ["eu-1"]).settings()["eu-1"])

    assert after == before.replace(b'""', b'"%s"' % ONE["backend"].encode(), 1).replace(
        b'""', b'"%s"' % ONE["boundary"].encode(), 1
    )
