"""Doctor over facts: what is a problem, a warning, fine, or could not be asked; each with a remedy."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from releasectl import (
    doctor,
    doctor_account,
    doctor_bootstrap,
    doctor_machine,
    doctor_network,
    doctor_repository,
)
from releasectl.account import ISSUER
from releasectl.doctor import Diagnosis, Question, Severity, Subject
from releasectl.doctor_facts import (
    Branch,
    Bucket,
    Certificate,
    Images,
    Place,
    Quota,
    Role,
    Subscription,
)
from releasectl.doctor_machine import Machine
from releasectl.doctor_wanted import Wanted
from releasectl.errors import ControllerError, Finding, Retry
from releasectl.locks import Lock
from releasectl.outputs import read as read_outputs
from releasectl.pipeline import parse_pipeline
from tests.twins import ACCOUNT, PIPELINE, REGION, Down
from tests.twins.doctor import Account, Forge
from tests.twins.outside import Locks

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:release-controller-staging"
IMAGES = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/release-controller-staging-web"
CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/one"
NETWORK = {"vpc": "vpc-00000001", "subnets": ["subnet-00000001", "subnet-00000002"], "public_addresses": True}
ENOUGH = {kind: Quota(kind, 50, 1) for kind in ("app-runner", "load-balancers", "fargate")}
ABOUT = Subject("rule", "staging")
ENVIRONMENTS = parse_pipeline("pipeline.yaml", PIPELINE).environments
STAGING, PRODUCTION = ENVIRONMENTS


class Lost(ControllerError):
    """Nothing brings an answer."""


def wanted(runtime: str = "fargate", *, alerts: Any = None, network: Any = None, **service: object) -> Wanted:
    """Staging with one service."""
    return Wanted(
        "staging",
        {
            "aws:region": REGION,
            "aws:allowedAccountIds": [ACCOUNT],
            "release-controller:boundary": f"arn:aws:iam::{ACCOUNT}:policy/releasectl-staging-boundary",
            "release-controller:alerts": {"email": ["ops@example.com"]} if alerts is None else alerts,
            "release-controller:network": NETWORK if network is None else network,
            "release-controller:services": {"web": {"runtime": runtime, **service}},
        },
    )


def deployed(of: Wanted, **service: object) -> Wanted:
    web = {"runtime": "fargate", "repository": IMAGES, "service": "arn:aws:ecs:x", **service}
    told = {"environment": "staging", "region": REGION, "topic": TOPIC, "services": {"web": web}, "shape": []}
    return replace(of, outputs=read_outputs(told))


def answers(questions: Iterable[Question], rule: str) -> list[Diagnosis]:
    return [one for one in doctor.examine(list(questions)) if one.rule == rule]


def account(rule: str, of: Wanted, cloud: Account) -> list[Diagnosis]:
    cloud.quotas = cloud.quotas or ENOUGH
    return answers([*doctor_account.questions(of, cloud), *doctor_network.questions(of, cloud)], rule)


def only(diagnoses: Iterable[Diagnosis]) -> Diagnosis:
    [one] = diagnoses
    return one


# ---- examining ----


def test_one_that_cannot_be_asked_hides_no_other_and_is_never_fine() -> None:
    def down() -> object:
        raise Down("asking AWS: no answer", "Try again.")

    questions = [
        Question(ABOUT, down, lambda about, _facts: [about.fine("never said")]),
        Question(ABOUT, lambda: 7, lambda about, facts: [about.fine(f"seven is {facts}")]),
    ]

    first, second = doctor.examine(questions)

    assert (first.severity, first.message, first.remedy, first.error) == (
        Severity.UNKNOWN, "asking AWS: no answer", "Try again.", "Down"
    )  # fmt: skip
    assert second.message == "seven is 7"
    assert doctor.exit_code([first, second]) == 0
    assert "1 could not ask, 1 fine" in doctor.text([first, second])


@pytest.mark.parametrize(
    ("error", "severity"),
    [(Lost("no login", "Log in."), Severity.PROBLEM), (Down("no answer", "Wait."), Severity.UNKNOWN)],
)
def test_what_nothing_works_without_is_a_problem_unless_it_may_pass(error: ControllerError, severity: Severity) -> None:
    def fails() -> object:
        raise error

    said = only(doctor.examine([Question(ABOUT, fails, lambda _about, _facts: [], must=True)]))

    assert (said.severity, said.message) == (severity, error.message)
    assert error.retry is (Retry.NEVER if severity is Severity.PROBLEM else Retry.BACKOFF)


def test_a_problem_ends_with_one_and_stands_first() -> None:
    told = [ABOUT.fine("good"), ABOUT.warning("hm", "Look."), ABOUT.problem("bad", "Mend it.")]

    assert doctor.exit_code(told) == 1
    assert doctor.text(told).splitlines()[:2] == ["problem        rule, staging: bad", "    Mend it."]
    assert doctor.as_json(told)["ok"] is False


def test_what_is_so_in_several_environments_is_said_once() -> None:
    questions = [doctor.known(Subject("rule", name), 0, lambda about, _: [about.fine("so")]) for name in ("a", "b")]

    assert only(doctor.examine(questions)).where == "a, b"


def test_a_colour_in_the_words_of_others_stays_visible() -> None:
    assert "\\x1b" in str(ABOUT.fine("\x1b[31mred"))


# ---- the account ----


def test_the_account_of_the_settings_is_fine_and_another_is_a_problem() -> None:
    other = replace(wanted(), config={**wanted().config, "aws:allowedAccountIds": ["111111111111"]})
    free = replace(wanted(), config={**wanted().config, "aws:allowedAccountIds": []})

    assert only(account("credentials", wanted(), Account())).severity is Severity.FINE
    wrong = only(account("credentials", other, Account()))
    assert wrong.severity is Severity.PROBLEM
    assert f"account {ACCOUNT}" in wrong.message
    assert "allows 111111111111 alone" in wrong.message
    assert only(account("credentials", free, Account())).remedy == (
        f"Run `releasectl init --environment staging --account {ACCOUNT}`."
    )


def test_without_credentials_there_is_a_problem_and_all_else_could_not_be_asked() -> None:
    cloud = Account(quotas=ENOUGH, fault=Lost("no credentials", "Log in."))
    told = doctor.examine([*doctor_account.questions(wanted(), cloud), *doctor_network.questions(wanted(), cloud)])

    assert [one.rule for one in told if one.severity is Severity.PROBLEM] == ["credentials"]
    assert {one.rule for one in told if one.severity is Severity.UNKNOWN} == {"region", "runtime", "network", "quota"}


@pytest.mark.parametrize(
    ("regions", "severity", "words"),
    [
        ({REGION: True}, Severity.FINE, "is enabled"),
        ({REGION: False}, Severity.PROBLEM, "has not opted in"),
        ({}, Severity.PROBLEM, "AWS has no region"),
    ],
)
def test_a_region_is_there_and_enabled(regions: dict[str, bool], severity: Severity, words: str) -> None:
    said = only(account("region", wanted(), Account(regions=regions)))

    assert said.severity is severity
    assert words in said.message


def test_app_runner_is_used_here_or_nobody_can_say() -> None:
    cloud = Account(app_runner=2)
    assert "2 services run on it" in only(account("runtime", wanted("app-runner"), cloud)).message

    said = only(account("runtime", wanted("app-runner"), Account()))
    assert said.severity is Severity.WARNING, "a hint, no certainty"
    assert "never used here" in said.message
    assert "30 April 2026" in said.message
    assert "AWS gives no answer before the first create" in said.message
    assert said.remedy.startswith("Write `runtime: ecs-express` for web in Pulumi.staging.yaml")


def test_ecs_needs_its_service_linked_roles_and_makes_them_where_it_may() -> None:
    complete = {name: Role(name, ()) for name in doctor_account.ROLES}
    assert only(account("runtime", wanted(), Account(roles=complete))).severity is Severity.FINE

    del complete["AWSServiceRoleForECS"]
    said = only(account("runtime", wanted("ecs-express"), Account(roles=complete)))
    assert said.severity is Severity.WARNING
    assert said.remedy == "Run `aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com`."


@pytest.mark.parametrize(
    ("quota", "severity"),
    [
        (Quota("Balancers", 50, 10), Severity.FINE),
        (Quota("Balancers", 50, 45), Severity.WARNING),
        (Quota("Balancers", 50, 50), Severity.PROBLEM),
        (Quota("Balancers", 0, 0), Severity.PROBLEM),
    ],
)
def test_a_quota_is_held_against_what_is_there_and_what_is_new(quota: Quota, severity: Severity) -> None:
    told = account("quota", wanted(), Account(quotas=ENOUGH | {"load-balancers": quota}))

    said = only(one for one in told if "Balancers" in one.message)
    assert said.severity is severity
    assert f"{quota.used} of {quota.limit:g} used, the settings ask for 1 more" in said.message


def test_all_instances_at_once_have_to_fit_into_the_processors_of_the_account() -> None:
    many = wanted(cpu=2048, scaling={"min": 1, "max": 4})

    told = account("quota", many, Account(quotas=ENOUGH | {"fargate": Quota("Fargate vCPU", 6)}))

    said = only(one for one in told if one.severity is Severity.PROBLEM)
    assert said.message == "Fargate vCPU: 6 in the account, and this environment's instances may ask for 8"


def test_what_exists_is_counted_once() -> None:
    full = ENOUGH | {"load-balancers": Quota("Balancers", 50, 50)}
    there = deployed(wanted())
    cloud = Account(quotas=full, topics={TOPIC: []}, repositories={IMAGES: Images(scans=True, has_retention=True)})

    said = only(one for one in account("quota", there, cloud) if "Balancers" in one.message)

    assert said.severity is Severity.WARNING, "nearly full, and nothing is added"


# ---- alerts, domain, images ----


def test_alerts_reach_somebody_who_confirmed() -> None:
    assert only(account("alerts", wanted(alerts={}), Account())).severity is Severity.WARNING
    pending = [
        Subscription("email", "a@b.example", is_pending=False),
        Subscription("email", "c@b.example", is_pending=True),
    ]
    cloud = Account(topics={TOPIC: pending}, repositories={IMAGES: Images(scans=True, has_retention=True)})

    routes, said = account("alerts", deployed(wanted()), cloud)
    assert routes.message == "alerts go out by email"
    assert (said.severity, said.message) == (
        Severity.PROBLEM, "email c@b.example has not confirmed, and gets no alert"
    )  # fmt: skip
    cloud.topics[TOPIC] = pending[:1]
    assert [one.severity for one in account("alerts", deployed(wanted()), cloud)] == [Severity.FINE] * 2


def test_a_secret_address_is_told_by_its_kind_alone() -> None:
    hook = Subscription("https", "https://hooks.example/secret", is_pending=True)

    said = only(doctor_account.confirmed(ABOUT, (hook,)))

    assert "secret address" in said.message
    assert "hooks.example" not in str(said)


@pytest.mark.parametrize(
    ("certificate", "severity", "words"),
    [
        (Certificate("ISSUED", ("app.example.com",)), Severity.FINE, "issued, for app.example.com"),
        (Certificate("PENDING_VALIDATION"), Severity.PROBLEM, "PENDING_VALIDATION"),
        (None, Severity.PROBLEM, f"no certificate {CERTIFICATE}"),
    ],
)
def test_the_certificate_of_a_domain(certificate: Certificate | None, severity: Severity, words: str) -> None:
    cloud = Account(certificates={CERTIFICATE: certificate} if certificate else {})

    said = only(account("domain", wanted(domain={"name": "app.example.com", "certificate": CERTIFICATE}), cloud))

    assert said.severity is severity
    assert words in said.message


def test_a_load_balancer_without_a_certificate_answers_in_clear_unless_it_is_private() -> None:
    said = only(account("domain", wanted(), Account()))

    assert (said.severity, said.where) == (Severity.WARNING, "staging web")
    assert "plain HTTP" in said.message
    assert account("domain", wanted(private=True), Account()) == []
    assert account("domain", wanted("app-runner"), Account()) == []


@pytest.mark.parametrize(
    ("images", "severity", "words"),
    [
        (Images(scans=True, has_retention=True), Severity.FINE, "retention keeps"),
        (Images(scans=False, has_retention=True), Severity.WARNING, "lacks scanning"),
        (Images(scans=False, has_retention=False), Severity.WARNING, "lacks scanning and retention"),
        (None, Severity.PROBLEM, "is gone"),
    ],
)
def test_an_image_repository_that_exists_is_looked_at(images: Images | None, severity: Severity, words: str) -> None:
    cloud = Account(topics={TOPIC: []}, repositories={IMAGES: images} if images else {})

    said = only(account("images", deployed(wanted()), cloud))

    assert said.severity is severity
    assert words in said.message


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


def machine(locks: Locks | None = None, **changed: Any) -> Machine:
    tool = Binary()
    parts = {"engine": lambda: tool, "origin": lambda: "/remote.git", "tip": lambda: "a" * 40, "findings": list}
    return Machine(**{**parts, **changed}, locks=locks or Locks())


class Binary:
    path, version = Path("/opt/pulumi"), "3.258.0"


def toolchain(**changed: Any) -> list[Diagnosis]:
    return list(doctor.examine(list(doctor_machine.questions(machine(**changed)))))


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


def state(url: str, cloud: Account | None = None, locks: Locks | None = None) -> list[Diagnosis]:
    asking = machine(locks or Locks(everywhere=True))
    project = "release-controller"
    found = doctor_machine.state_questions(
        wanted(), asking, cloud or Account(), project=project, overridden=url, is_first=True
    )  # fmt: skip
    return answers(found, "state")


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


def bootstrap(cloud: Account, repository: str = "acme/shop", *, is_first: bool = False) -> list[Diagnosis]:
    return answers(doctor_bootstrap.questions(wanted(), cloud, repository, is_first=is_first), "bootstrap")


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


# ---- the repository ----

RULES = ("pull_request", "non_fast_forward", "deletion")
GIVEN = {"RELEASE_APP_CLIENT_ID": "Iv1"} | {
    f"AWS_{name}": "x"
    for name in ("BUILD_ROLE", "PREVIEW_ROLE_STAGING", "REGION_STAGING", "PREVIEW_ROLE_PRODUCTION", "REGION_PRODUCTION")
}
OURS = Place(("required_reviewers",), branches=True, variables={"AWS_DEPLOY_ROLE": "x", "AWS_REGION": REGION})


def repository(forge: Forge) -> list[Diagnosis]:
    found = doctor_repository.questions("git@github.com:acme/shop.git", "acme/shop", ENVIRONMENTS, forge)
    return list(doctor.examine(list(found)))


def test_a_protected_repository_is_fine_but_for_what_github_does_not_say() -> None:
    forge = Forge(
        {
            "main": Branch(is_protected=False, types=RULES, checks=("checks",)),
            "deployments": Branch(is_protected=False, types=RULES[1:]),
        },
        {"staging": OURS, "production": OURS, "preview": OURS, "release-bot": OURS},
        GIVEN,
    )

    told = repository(forge)

    assert {one.severity for one in told} == {Severity.FINE, Severity.UNKNOWN}
    open_question = only(one for one in told if one.severity is Severity.UNKNOWN)
    assert "takes staging and production back by a commit to main" in open_question.message


def test_an_open_repository_is_told_part_by_part() -> None:
    told = {one.where: one for one in reversed(repository(Forge()))}

    assert told["acme/shop main"].severity is Severity.PROBLEM
    assert "a forced push or a deletion" in told["acme/shop deployments"].message
    assert "AWS_BUILD_ROLE, AWS_PREVIEW_ROLE_STAGING" in told["acme/shop"].message
    assert "has no environment production" in told["acme/shop production"].message
    assert "nobody has to approve" in told["acme/shop preview"].message
    assert "any branch may have the key" in told["acme/shop release-bot"].message


def test_without_an_app_nothing_is_taken_back_by_a_commit() -> None:
    judge = partial(doctor_repository.given, ENVIRONMENTS)
    without = {name: value for name, value in GIVEN.items() if name != "RELEASE_APP_CLIENT_ID"}

    warned = only(one for one in judge(ABOUT, without) if one.severity is Severity.WARNING)
    assert "staging and production could not be taken back by a commit" in warned.message
    assert only(judge(ABOUT, GIVEN)).severity is Severity.FINE


def test_main_that_asks_for_no_check_is_a_warning() -> None:
    said = list(doctor_repository.reviewed([], ABOUT, Branch(is_protected=False, types=RULES)))

    assert [one.severity for one in said] == [Severity.WARNING, Severity.FINE]
    assert "check `checks` did not pass" in said[0].message


@pytest.mark.parametrize(("whose", "severity"), [("acme/shop", "fine"), ("", "warning"), ("evil/shop", "warning")])
def test_the_preview_that_is_called_is_our_own(whose: str, severity: str) -> None:
    said = only(doctor_repository.previewed("acme/shop", ABOUT, whose))

    assert said.severity == severity
    assert severity == "fine" or said.remedy == "Run `releasectl init --github acme/shop`."


def test_an_environment_that_any_branch_may_use_is_a_warning() -> None:
    said = list(doctor_repository.place(PRODUCTION, ABOUT, replace(OURS, branches=False, variables={})))

    assert [one.severity for one in said] == [Severity.WARNING] * 2


def test_the_older_protection_counts() -> None:
    rollback_by_pull_request = replace(STAGING, rollback="pull-request")
    judge = partial(doctor_repository.reviewed, [rollback_by_pull_request])

    assert only(judge(ABOUT, Branch(is_protected=True))).severity is Severity.FINE
    assert only(doctor_repository.growing(ABOUT, Branch(is_protected=True))).severity is Severity.FINE


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("git@github.com:acme/shop.git", "acme/shop"),
        ("https://github.com/acme/shop", "acme/shop"),
        ("https://github.com/acme/shop.git/", "acme/shop"),
        ("https://token@github.com/acme/shop.git", "acme/shop"),
        ("ssh://git@github.com/acme/shop.js.git", "acme/shop.js"),
        ("git@github.com.evil.example:acme/shop.git", ""),
        ("https://gitlab.com/acme/shop", ""),
        ("/somewhere/remote.git", ""),
        ("", ""),
    ],
)
def test_the_repository_is_told_from_the_remote(origin: str, name: str) -> None:
    assert doctor_repository.repository_of(origin, "https://github.com") == name


def test_a_remote_elsewhere_could_not_be_asked() -> None:
    found = doctor_repository.questions("/remote.git", "", ENVIRONMENTS, Forge())

    assert only(doctor.examine(list(found))).severity is Severity.UNKNOWN


# ---- remedies ----


def test_every_remedy_begins_with_a_verb_and_only_what_is_fine_has_none() -> None:
    cloud = Account(quotas=ENOUGH, app_runner=0)
    told = [
        *doctor.examine(
            [*doctor_account.questions(wanted(alerts={}), cloud), *doctor_network.questions(wanted(), cloud)]
        ),
        *bootstrap(Account()),
        *repository(Forge()),
        *state(""),
        *toolchain(origin=lambda: ""),
    ]

    assert len(told) > 15
    for one in told:
        assert bool(one.remedy) == (one.severity is not Severity.FINE), one
        assert not one.remedy or re.match(
            r"(Run|Write|Add|Open|Correct|Import|Limit|Look|Name|Protect|Read|Log) ", one.remedy
        ), one
