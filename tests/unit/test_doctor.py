"""Doctor over facts: what is a problem, a warning, fine, or could not be asked; each with a remedy."""

import re
from dataclasses import replace

import pytest

from releasectl import (
    doctor,
    doctor_account,
    doctor_network,
)
from releasectl.doctor import Question, Severity, Subject
from releasectl.doctor_facts import (
    Certificate,
    Images,
    Quota,
    Role,
    Subscription,
)
from releasectl.errors import ControllerError, Retry
from tests.twins import ACCOUNT, REGION, Down
from tests.twins.doctor import Account, Forge
from tests.unit.doctoring import (
    ABOUT,
    CERTIFICATE,
    ENOUGH,
    IMAGES,
    TOPIC,
    Lost,
    account,
    bootstrap,
    deployed,
    only,
    repository,
    state,
    toolchain,
    wanted,
)

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
