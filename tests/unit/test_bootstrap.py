"""The rules by which an account is made ready: what is remembered, adopted, refused, gone on with."""

from typing import Any

import pytest

from releasectl import bootstrap
from releasectl.account import Account, Repository, Stage
from releasectl.bootstrap import CannotBootstrap, CannotFinish, look, remembered, run
from releasectl.pipeline import UnknownEnvironment, parse_pipeline
from tests.twins.account import ROLE, URN, MemoryAccount, MemoryWork

DEMO = Repository("acme/demo")
ACCOUNT = Account("aws", "123456789012", "eu-west-1", "releasectl-bucket", DEMO, (Stage("staging"),))
BACKEND = "s3://releasectl-bucket?region=eu-west-1&awssdk=v2"
TAGS = {"repository": "acme/demo", "repository-id": "42", "repository-owner-id": "7"}
PROVIDER = {"type": bootstrap.PROVIDER, "urn": "u"}


def state(*resources: dict[str, Any], outputs: dict[str, Any] | None = None, begun: tuple[Any, ...] = ()) -> Any:
    """A state with one key that says for whom it is."""
    known = [
        {"type": "pulumi:pulumi:Stack", "urn": "s", "outputs": outputs or {}},
        {"type": "aws:kms/key:Key", "urn": "k", "inputs": {"tags": TAGS}},
        *resources,
    ]
    pending = [{"type": "creating", "resource": each} for each in begun]
    return {"deployment": {"resources": known, "pending_operations": pending}}


def pipeline(*names: str) -> Any:
    text = "schema: 1\nenvironments:\n" + "".join(
        f"  - {{name: {name}, soak: 0s, gates: [], rollback: 'off'{f', promotes_from: {names[0]}' if place else ''}}}\n"
        for place, name in enumerate(names)
    )
    return parse_pipeline("pipeline.yaml", f'{text}services: {{web: {{repository: "", path: service}}}}\n'.encode())


def test_stages_are_those_of_the_pipeline_or_those_that_are_named() -> None:
    known = pipeline("staging", "production")

    assert bootstrap.stages(known, ()) == (Stage("staging"), Stage("production", "staging"))
    assert bootstrap.stages(known, ("production",)) == (Stage("production", "staging"),)
    with pytest.raises(UnknownEnvironment, match="did you mean `staging`"):
        bootstrap.stages(known, ("stagign",))


def test_names_that_a_pattern_cannot_tell_apart_are_refused() -> None:
    with pytest.raises(CannotBootstrap, match="telling prod and prod-eu apart"):
        bootstrap.stages(pipeline("prod", "prod-eu"), ())
    assert len(bootstrap.stages(pipeline("prod", "production"), ())) == 2
    assert len(bootstrap.stages(pipeline("prod", "prod-eu"), ("prod-eu",))) == 1


def test_nothing_is_remembered_of_an_account_without_a_state() -> None:
    assert remembered({}) == bootstrap.Past()


def test_a_run_that_was_cut_off_is_remembered_by_tags_though_it_exported_nothing() -> None:
    past = remembered(state(begun=({"type": ROLE, "urn": URN, "inputs": {"name": "releasectl-build"}},)))

    assert past.repository == Repository("acme/demo", "42", "7")
    assert past.begun == {URN: (ROLE, {"name": "releasectl-build"})}


def test_the_first_look_is_at_an_empty_state_and_makes_no_bucket() -> None:
    cloud, work = MemoryAccount(), MemoryWork()
    looked = look(ACCOUNT, cloud, work, asked=Repository(""))

    assert (looked.makes_bucket, looked.is_ready) == (True, False)
    assert (work.done, cloud.asked) == (["preview "], [])


def test_a_bucket_whose_making_was_cut_off_has_no_state_and_the_look_writes_none() -> None:
    work = MemoryWork()
    looked = look(ACCOUNT, MemoryAccount(bucket=True), work, asked=Repository(""))

    assert not looked.makes_bucket
    assert work.done == ["preview "]


def test_numbers_that_nobody_says_again_are_those_of_the_last_time() -> None:
    work = MemoryWork({BACKEND: state()})
    looked = look(ACCOUNT, MemoryAccount(bucket=True), work, asked=Repository(""))

    assert looked.account.repository == Repository("acme/demo", "42", "7")
    assert work.laid_out[-1] == looked.account
    assert work.done == ["preview s3://releasectl-bucket"]


def test_what_is_said_now_counts_more_than_the_last_time() -> None:
    said = Repository("acme/demo", "43", "7")
    account = Account(**{**ACCOUNT.__dict__, "repository": said})
    looked = look(account, MemoryAccount(bucket=True), MemoryWork({BACKEND: state()}), asked=said)

    assert looked.account.repository == said


@pytest.mark.parametrize(
    ("there", "held", "owns"),
    [
        pytest.param(None, (), True, id="there is none: it is made"),
        pytest.param(("sts.amazonaws.com",), (), False, id="somebody has it: it is used"),
        pytest.param(("sts.amazonaws.com",), (PROVIDER,), True, id="it is ours from an earlier time"),
        pytest.param(None, (PROVIDER,), True, id="it was ours and somebody deleted it"),
    ],
)
def test_githubs_provider_is_made_once_and_adopted_where_it_is(
    there: Any, held: tuple[Any, ...], *, owns: bool
) -> None:
    cloud = MemoryAccount(bucket=True, provider=there)
    looked = look(ACCOUNT, cloud, MemoryWork({BACKEND: state(*held)}), asked=Repository(""))

    assert looked.account.owns_provider is owns


def test_a_provider_that_is_not_for_aws_is_not_changed_behind_its_owners_back() -> None:
    with pytest.raises(CannotBootstrap, match="it is not ours to change") as caught:
        look(ACCOUNT, MemoryAccount(provider=("other",)), MemoryWork(), asked=Repository(""))

    assert caught.value.remedy.startswith("Add it: aws iam add-client-id-to-open-id-connect-provider")


def test_another_repository_has_to_be_said_to_take_an_account_over() -> None:
    other = Account(**{**ACCOUNT.__dict__, "repository": Repository("acme/other", "9", "7")})
    cloud, work = MemoryAccount(bucket=True), MemoryWork({BACKEND: state()})

    with pytest.raises(CannotBootstrap, match="it is ready for acme/demo"):
        look(other, cloud, work, asked=Repository(""))
    assert look(other, cloud, work, asked=Repository("acme/other")).account.repository.id == "9"


def test_a_ready_account_is_left_alone() -> None:
    work = MemoryWork({BACKEND: state(outputs={"build": "x"})}, changes=(), outputs={"build": "x"})
    looked = look(ACCOUNT, MemoryAccount(bucket=True), work, asked=Repository(""))
    result = run(looked, MemoryAccount(bucket=True), work, say=lambda _line: None)

    assert looked.is_ready
    assert result.plan.outputs == {"build": "x"}
    assert [each for each in work.done if each.startswith("up")] == []


def test_an_account_in_which_only_the_outputs_are_missing_is_not_ready() -> None:
    work = MemoryWork({BACKEND: state()}, changes=(), outputs={"build": "x"})

    assert not look(ACCOUNT, MemoryAccount(bucket=True), work, asked=Repository("")).is_ready


def test_the_bucket_is_made_before_the_engine_needs_it() -> None:
    cloud, work, lines = MemoryAccount(), MemoryWork(locks=("ann@laptop",)), list[str]()
    run(look(ACCOUNT, cloud, work, asked=Repository("")), cloud, work, say=lines.append)

    assert cloud.asked == ["make releasectl-bucket"]
    assert work.done[1:] == ["up s3://releasectl-bucket"]
    assert lines == ["making the bucket releasectl-bucket", "taking away the lock of a dead engine: ann@laptop"]


@pytest.mark.parametrize(("found", "settled"), [({ROLE: "releasectl-build"}, {URN: "releasectl-build"}), ({}, {})])
def test_what_was_begun_is_looked_up_before_anything_is_made(found: dict[str, str], settled: dict[str, str]) -> None:
    cloud = MemoryAccount(bucket=True, found=found)
    work = MemoryWork({BACKEND: state(begun=({"type": ROLE, "urn": URN, "inputs": {}},))})
    run(look(ACCOUNT, cloud, work, asked=Repository("")), cloud, work, say=lambda _line: None)

    assert work.done[1:] == [f"settle {settled}", "up s3://releasectl-bucket"]


def test_a_create_whose_answer_was_lost_is_adopted_and_one_of_somebody_else_is_not() -> None:
    ours, theirs = MemoryAccount(found={ROLE: "releasectl-build"}), MemoryAccount()
    for cloud, adopts in ((ours, True), (theirs, False)):
        work = MemoryWork(refuses=1)
        result = run(look(ACCOUNT, cloud, work, asked=Repository("")), cloud, work, say=lambda _line: None)
        assert (f"settle {{'{URN}': 'releasectl-build'}}" in work.done) is adopts
        assert (bootstrap.failed(result) is None) is adopts


def test_what_failed_is_told_with_what_to_do() -> None:
    work = MemoryWork(refuses=1)
    result = run(look(ACCOUNT, MemoryAccount(), work, asked=Repository("")), MemoryAccount(), work, say=print)
    failure = bootstrap.failed(result)

    assert isinstance(failure, CannotFinish)
    assert "EntityAlreadyExists" in failure.message
