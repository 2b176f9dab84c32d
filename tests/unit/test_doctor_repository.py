"""Doctor over facts of the repository on GitHub: who may write to main, and what jobs are given."""

from dataclasses import replace

import pytest

from releasectl import (
    doctor,
    doctor_repository,
)
from releasectl.doctor import Severity
from releasectl.doctor_facts import (
    Branch,
)
from tests.twins.doctor import Forge
from tests.unit.doctoring import (
    ABOUT,
    ENVIRONMENTS,
    GIVEN,
    OURS,
    PRODUCTION,
    RULES,
    only,
    repository,
)


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
    assert "takes staging and production back by a commit" in open_question.message


def test_an_open_repository_is_told_part_by_part() -> None:
    told = {one.where: one for one in reversed(repository(Forge()))}

    assert told["acme/shop main"].severity is Severity.PROBLEM
    assert "a forced push or a deletion" in told["acme/shop deployments"].message
    assert "AWS_BUILD_ROLE, AWS_PREVIEW_ROLE_STAGING" in told["acme/shop"].message
    assert "has no environment production" in told["acme/shop production"].message
    assert "nobody has to approve" in told["acme/shop preview"].message
    assert "any branch may have the key" in told["acme/shop release-bot"].message


def test_where_main_is_reviewed_somebody_has_to_pass() -> None:
    without = {name: value for name, value in GIVEN.items() if name != "RELEASE_APP_CLIENT_ID"}
    guarded, open_to_all = Branch(is_protected=False, types=RULES), Branch(is_protected=False)
    by_review = [replace(each, rollback="pull-request") for each in ENVIRONMENTS]

    warned = only(doctor_repository.passing(ENVIRONMENTS, ABOUT, (guarded, without)))
    assert warned.severity is Severity.WARNING
    assert "no workflow bumps, nor takes staging and production back" in warned.message
    assert "nor takes" not in only(doctor_repository.passing(by_review, ABOUT, (guarded, without))).message
    assert only(doctor_repository.passing(ENVIRONMENTS, ABOUT, (guarded, GIVEN))).severity is Severity.UNKNOWN
    assert list(doctor_repository.passing(by_review, ABOUT, (guarded, GIVEN))) == []
    assert list(doctor_repository.passing(ENVIRONMENTS, ABOUT, (open_to_all, without))) == []


@pytest.mark.parametrize(
    ("refs", "told"),
    [
        (None, "any branch"),
        (("branch:main", "branch:dev"), "branch:dev"),
        (("branch:*",), "branch:*"),
        (("branch:main", "tag:v*"), ""),
    ],
)
def test_the_key_of_the_app_is_for_main_and_versions_alone(refs: tuple[str, ...] | None, told: str) -> None:
    said = only(doctor_repository.bot(ABOUT, replace(OURS, refs=refs)))

    assert said.severity is (Severity.WARNING if told else Severity.FINE)
    assert told in said.message


def test_main_that_asks_for_no_check_is_a_warning() -> None:
    said = list(doctor_repository.reviewed(ABOUT, Branch(is_protected=False, types=RULES)))

    assert [one.severity for one in said] == [Severity.WARNING, Severity.FINE]
    assert "check `checks` did not pass" in said[0].message


@pytest.mark.parametrize(("whose", "severity"), [("acme/shop", "fine"), ("", "warning"), ("evil/shop", "warning")])
def test_the_preview_that_is_called_is_our_own(whose: str, severity: str) -> None:
    said = only(doctor_repository.previewed("acme/shop", ABOUT, whose))

    assert said.severity == severity
    assert severity == "fine" or said.remedy == "Run `releasectl init --github acme/shop`."


def test_an_environment_that_any_branch_may_use_is_a_warning() -> None:
    said = list(doctor_repository.place(PRODUCTION, ABOUT, replace(OURS, refs=None, variables={})))

    assert [one.severity for one in said] == [Severity.WARNING] * 2


def test_the_older_protection_counts() -> None:
    judge = doctor_repository.reviewed

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
