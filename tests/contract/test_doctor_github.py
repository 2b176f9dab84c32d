"""What doctor asks GitHub, over real HTTP: rules, environments, variables, and everything that is no answer."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from releasectl import doctor_facts
from releasectl.doctor_facts import Branch, Place
from releasectl.edges.again import PATIENCE
from releasectl.edges.doctor_github import DoctorGithub, RepositoryNotTold
from tests.contract.answers import CUT, Answer, Asked, Server, serving
from tests.twins.doctor import Forge as Twin

TOKEN = "not-for-others"
SHOP = "acme/shop"
RULES = ("pull_request", "deletion", "required_status_checks")
GIVEN = {"AWS_BUILD_ROLE": "arn:aws:iam::1:role/x"}
PRODUCTION = Place(("required_reviewers",), ("branch:main", "tag:v*"), variables={"AWS_REGION": "eu-west-1"})


class Github:
    """One repository; what stands in `said` is answered by path, everything else is not there."""

    def __init__(self) -> None:
        self.said: dict[str, Any] = {
            f"/repos/{SHOP}/rules/branches/main": [
                *({"type": kind} for kind in RULES[:2]),
                {"type": RULES[2], "parameters": {"required_status_checks": [{"context": "checks"}]}},
            ],
            f"/repos/{SHOP}/rules/branches/deployments": [],
            f"/repos/{SHOP}/branches/main": {"protected": True, "protection": {"enabled": True}},
            f"/repos/{SHOP}/environments/production": {
                "protection_rules": [{"type": "required_reviewers"}],
                "deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True},
            },
            f"/repos/{SHOP}/environments/production/deployment-branch-policies": {
                "branch_policies": [{"name": "main"}, {"name": "v*", "type": "tag"}]
            },
            f"/repos/{SHOP}/environments/production/variables": variables(PRODUCTION.variables),
            f"/repos/{SHOP}/actions/variables": variables(GIVEN),
        }
        self.every: Answer | None = None
        self.server: Server

    def answer(self, asked: Asked) -> Answer:
        found = self.said.get(asked.path.partition("?")[0])
        return self.every or (Answer(404) if found is None else Answer(body=json.dumps(found).encode()))

    @property
    def environment(self) -> dict[str, str]:
        return {"GITHUB_API_URL": self.server.url, "GITHUB_TOKEN": TOKEN}


def variables(given: Any) -> dict[str, object]:
    return {"total_count": len(given), "variables": [{"name": key, "value": given[key]} for key in given]}


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[Github]:
    monkeypatch.setenv(PATIENCE, "0.5")
    github = Github()
    with serving(github.answer) as server:
        github.server = server
        yield github


@pytest.fixture(params=["twin", "github"])
def forge(request: pytest.FixtureRequest) -> doctor_facts.Forge:
    if request.param == "twin":
        return Twin(
            {"main": Branch(is_protected=True, types=RULES, checks=("checks",))}, {"production": PRODUCTION}, GIVEN
        )
    github: Github = request.getfixturevalue("github")
    return DoctorGithub(github.environment)


def test_a_branch_has_rules_of_both_kinds_or_none(forge: doctor_facts.Forge) -> None:
    assert forge.branch(SHOP, "main") == Branch(is_protected=True, types=RULES, checks=("checks",))
    assert forge.branch(SHOP, "deployments") == Branch(is_protected=False)


def test_an_environment_says_who_may_use_it_and_what_it_is_given(forge: doctor_facts.Forge) -> None:
    assert forge.place(SHOP, "production") == PRODUCTION
    assert forge.place(SHOP, "staging") is None


def test_a_repository_has_variables_of_its_own(forge: doctor_facts.Forge) -> None:
    assert forge.variables(SHOP) == GIVEN


def test_the_token_goes_to_the_server_and_into_no_word(github: Github) -> None:
    DoctorGithub(github.environment).variables(SHOP)
    github.every = Answer(401)
    with pytest.raises(RepositoryNotTold, match="denied: status 401") as caught:
        DoctorGithub(github.environment).variables(SHOP)

    assert {asked.headers["Authorization"] for asked in github.server.asked} == {f"Bearer {TOKEN}"}
    assert TOKEN not in caught.value.message + caught.value.remedy


def test_without_a_token_nobody_is_asked(github: Github) -> None:
    with pytest.raises(RepositoryNotTold, match="there is no token") as caught:
        DoctorGithub({**github.environment, "GITHUB_TOKEN": ""}).branch(SHOP, "main")
    assert caught.value.remedy.startswith("Set GITHUB_TOKEN")
    assert github.server.asked == []


def test_a_repository_that_is_hidden_is_not_an_unprotected_one(github: Github) -> None:
    edge = DoctorGithub(github.environment)
    github.said.clear()

    for ask in (lambda: edge.branch(SHOP, "main"), lambda: edge.variables(SHOP)):
        with pytest.raises(RepositoryNotTold, match="hidden from this token"):
            ask()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(Answer(403), "denied", id="token too small"),
        pytest.param(Answer(301, headers={"Location": "https://elsewhere.example"}), "status 301", id="sent elsewhere"),
        pytest.param(Answer(200, b"<html>"), "no JSON", id="a page"),
        pytest.param(Answer(503), "unreachable: status 503", id="broken"),
        pytest.param(Answer(429, headers={"Retry-After": "3600"}), "throttled", id="too often"),
        pytest.param(Answer(403, headers={"X-RateLimit-Remaining": "0"}), "throttled", id="too often, its own way"),
        pytest.param(CUT, "unreachable", id="cut"),
    ],
)
def test_what_is_no_answer_is_told(github: Github, answer: Answer, words: str) -> None:
    github.every = answer

    with pytest.raises(RepositoryNotTold, match=words):
        DoctorGithub(github.environment).branch(SHOP, "main")
