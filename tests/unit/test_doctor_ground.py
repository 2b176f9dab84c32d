"""Doctor over facts of the network, of this machine, of the state and of what bootstrap made."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from releasectl import (
    doctor_bootstrap,
    doctor_machine,
)
from releasectl.account import ISSUER
from releasectl.doctor import Diagnosis, Severity
from releasectl.doctor_facts import (
    Bucket,
    Role,
)
from releasectl.errors import Finding
from releasectl.locks import Lock
from tests.twins import REGION
from tests.twins.doctor import Account
from tests.twins.outside import Locks
from tests.unit.doctoring import (
    ABOUT,
    NETWORK,
    Lost,
    account,
    answers,
    bootstrap,
    only,
    state,
    toolchain,
    wanted,
)

# ---- the network ----


def network(cloud: Account, **changed: object) -> list[Diagnosis]:
    return account("network", wanted(network=NETWORK | changed), cloud)


def problems(diagnoses: Iterable[Diagnosis]) -> list[str]:
    return [one.message for one in diagnoses if one.severity is Severity.PROBLEM]


def test_public_subnets_in_two_zones_with_addresses_are_fine() -> None:
    assert [one.severity for one in network(Account())] == [Severity.FINE] * 2


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"vpc": "vpc-0000000f"}, "there is no vpc-0000000f in eu-west-1"),
        ({"subnets": ["subnet-00000001", "subnet-0000000f"]}, "there is no subnet-0000000f in eu-west-1"),
        ({"subnets": ["subnet-00000001"]}, "all subnets are in eu-west-1a"),
        ({"public_addresses": False}, "could not pull their image"),
    ],
)
def test_a_network_in_which_nothing_could_run_is_a_problem(changed: dict[str, object], words: str) -> None:
    assert any(words in message for message in problems(network(Account(), **changed)))


def test_a_subnet_of_another_vpc_is_a_problem() -> None:
    cloud = Account(vpcs=["vpc-00000001", "vpc-00000002"])

    assert "is in another VPC than vpc-00000002" in problems(network(cloud, vpc="vpc-00000002"))[0]


def test_instances_behind_a_nat_need_no_public_address_and_load_balancers_need_public_subnets() -> None:
    cloud = Account()
    public = [each.id for each in cloud.subnets]
    hidden = [replace(each, id=each.id.replace("0000", "000a", 1), way="nat") for each in cloud.subnets]
    cloud.subnets = [*cloud.subnets, *hidden]
    inside = [each.id for each in hidden]

    both = network(cloud, subnets=inside, load_balancer_subnets=public, public_addresses=False)
    alone = network(cloud, subnets=inside, public_addresses=False)

    assert problems(both) == []
    assert "does not lead there" in problems(alone)[0]
    assert problems(account("network", wanted(private=True, network=NETWORK | {"subnets": inside}), cloud)) == []


def test_subnets_that_lead_nowhere_are_a_warning_and_full_ones_a_problem() -> None:
    cloud = Account()
    cloud.all_lead("")
    assert any("without VPC endpoints" in one.message for one in network(cloud) if one.severity is Severity.WARNING)
    cloud = Account()
    cloud.subnets = [replace(each, free=7) for each in cloud.subnets]
    assert "fewer than 8 addresses left" in problems(network(cloud))[0]


def test_express_without_a_network_of_its_own_runs_in_the_default_one() -> None:
    def said(cloud: Account) -> Diagnosis:
        return only(account("network", wanted("ecs-express", network={}), cloud))

    assert said(Account()).severity is Severity.FINE
    assert "there is no default VPC" in said(Account(vpcs=[])).message
    hidden = Account()
    hidden.all_lead("nat")
    assert (
        said(hidden).message
        == "the default VPC vpc-00000001 has public subnets with 8 free addresses in 0 of two zones"
    )
    assert account("network", wanted("app-runner", network={}), Account()) == []


# ---- this machine, the state, the secrets ----


def test_a_machine_that_has_all_it_needs_is_fine() -> None:
    told = toolchain()

    assert {one.severity for one in told} == {Severity.FINE}
    assert told[0].message == "3.258.0, /opt/pulumi"
    assert told[1].message == f"/remote.git answers; main is at {'a' * 12}"


def test_a_machine_without_remote_main_or_engine_is_told_what_it_lacks() -> None:
    def nothing() -> object:
        raise Lost("looking for pulumi: it is not here", "Run `make setup`.")

    assert problems(toolchain(engine=nothing)) == ["looking for pulumi: it is not here"]
    assert problems(toolchain(origin=lambda: "")) == ["the clone has no remote `origin`"]
    assert problems(toolchain(tip=lambda: "")) == ["/remote.git has no branch main"]


def test_every_finding_of_the_files_is_a_problem_at_its_place() -> None:
    finding = Finding("file", "Pulumi.staging.yaml:3:5 config", "is wrong", "Mend it.")

    said = only(one for one in toolchain(findings=lambda: [finding]) if one.severity is Severity.PROBLEM)

    assert (said.where, said.message, said.remedy) == (finding.where, finding.message, finding.remedy)


@pytest.mark.parametrize(
    ("url", "severity", "words"),
    [
        ("", Severity.WARNING, "names no backend"),
        ("file:///somewhere", Severity.WARNING, "a folder of this machine"),
        ("https://api.pulumi.com", Severity.UNKNOWN, "does not show its locks"),
    ],
)
def test_state_that_is_in_no_bucket_is_told(url: str, severity: Severity, words: str) -> None:
    assert any(one.severity is severity and words in one.message for one in state(url))


@pytest.mark.parametrize(
    ("bucket", "expected"),
    [
        (Bucket(is_versioned=True, is_encrypted=True, is_closed=True), []),
        (Bucket(is_versioned=False, is_encrypted=True, is_closed=True), ["keeps no versions"]),
        (Bucket(is_versioned=True, is_encrypted=True, is_closed=False), ["may be opened to the public"]),
        (None, ["there is no bucket states"]),
    ],
)
def test_the_bucket_of_the_state_loses_nothing_and_shows_nothing(bucket: Bucket | None, expected: list[str]) -> None:
    told = problems(
        state(f"s3://states/staging?region={REGION}", Account(buckets={"states": bucket} if bucket else {}))
    )

    assert len(told) == len(expected)
    assert all(words in message for words, message in zip(expected, told, strict=True))


def test_who_has_locked_the_state_is_told_with_what_to_do() -> None:
    held = Lock("file:///x", "ann", "host", 7, datetime(2026, 11, 21, tzinfo=UTC))

    said = only(
        one for one in state("file:///somewhere", locks=Locks([held], everywhere=True)) if "locked" in one.message
    )

    assert said.severity is Severity.WARNING
    assert "ann@host (pid 7)" in said.message
    assert "releasectl unlock staging" in said.remedy


@pytest.mark.parametrize(
    ("provider", "is_first", "severity"),
    [
        ("", True, Severity.FINE),
        ("", False, Severity.WARNING),
        ("passphrase", False, Severity.WARNING),
        ("awskms://alias/releasectl-staging-secrets?region=eu-west-1", False, Severity.FINE),
    ],
)
def test_a_passphrase_is_for_the_first_environment_alone(provider: str, is_first: bool, severity: Severity) -> None:
    said = only(doctor_machine.protected(replace(wanted(), secrets_provider=provider), ABOUT, is_first))

    assert said.severity is severity


# ---- bootstrap ----


SHOP = "repo:acme/shop:environment:staging"


NUMBERED = "repo:acme@12/shop@34:environment:staging"


def roles(*subjects: str) -> Account:
    names = ("releasectl-staging-preview", "releasectl-staging-deploy")
    return Account(issuers={ISSUER}, roles={name: Role(name, subjects) for name in names})


def test_an_account_that_was_never_made_ready_says_so_once() -> None:
    said = only(bootstrap(Account(), is_first=True))

    assert said.severity is Severity.WARNING, "a person can release without"
    for name in ("OIDC provider", "releasectl-staging-preview", "releasectl-staging-deploy", "releasectl-build"):
        assert name in said.message
    assert said.remedy.startswith("Run `releasectl bootstrap`")


def test_settings_without_the_boundary_that_the_role_insists_on_are_told() -> None:
    bare = replace(wanted(), config={**wanted().config, "release-controller:boundary": ""})
    found = doctor_bootstrap.questions(bare, roles(SHOP, NUMBERED), "acme/shop", is_first=False)

    said = only(one for one in answers(found, "bootstrap") if one.severity is not Severity.FINE)

    assert "names no boundary" in said.message
    assert said.remedy.startswith("Run `releasectl bootstrap --write`")


@pytest.mark.parametrize("repository", ["acme/shop", ""])
def test_roles_that_trust_both_forms_of_the_name_are_fine(repository: str) -> None:
    assert {one.severity for one in bootstrap(roles(SHOP, NUMBERED), repository)} == {Severity.FINE}


@pytest.mark.parametrize(
    ("subjects", "severity", "words"),
    [
        ([SHOP], Severity.WARNING, "does not know the name of its repository with numbers"),
        ([NUMBERED], Severity.WARNING, "does not know the name of its repository without numbers"),
        ([SHOP.replace("shop", "web"), NUMBERED], Severity.PROBLEM, "trusts acme/web, and this is acme/shop"),
        (["repo:acme/*", NUMBERED, SHOP], Severity.PROBLEM, "can be taken by repo:acme/*"),
        ([], Severity.WARNING, "does not know the name of its repository with numbers"),
    ],
)
def test_roles_that_trust_too_little_or_too_much_are_told(subjects: list[str], severity: Severity, words: str) -> None:
    told = bootstrap(roles(*subjects))

    assert {one.severity for one in told if words in one.message} == {severity}
    assert Severity.FINE not in {one.severity for one in told}
