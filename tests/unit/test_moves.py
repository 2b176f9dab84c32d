"""What a move to another runtime says: what goes, what comes, what becomes of the address."""

from dataclasses import replace

import pytest

from releasectl.moves import addresses, moves
from releasectl.outputs import Domain, Former, Outputs, Service
from releasectl.plan import Plan, from_steps
from tests.twins import REGION, step

APP_RUNNER = "aws:apprunner/service:Service"
OLD = Service("app-runner", "r/web", service="arn:old", url="https://old")
NEW = Service("fargate", "r/web")
STEPS = [
    step("delete", APP_RUNNER, "web"),
    step("delete", "release-controller:runtimes:AppRunner", "web"),
    step("delete", "aws:iam/role:Role", "web-access"),
    step("delete", "aws:iam/role:Role", "web-instance"),
    step("create", "aws:ecs/service:Service", "web"),
    step("create", "aws:lb/loadBalancer:LoadBalancer", "web"),
    step("replace", "aws:cloudwatch/metricAlarm:MetricAlarm", "web-errors"),
    step("create", "aws:ecs/service:Service", "web-api"),
    step("update", "aws:ecr/repository:Repository", "web"),
]
TOUCHED = (
    "; deleted: apprunner Service, 2 iam Role; replaced: cloudwatch MetricAlarm; created: ecs Service, lb LoadBalancer"
)


def outputs(web: Service) -> Outputs:
    return Outputs("staging", REGION, services={"web": web, "web-api": Service("fargate", "r/api", service="arn:api")})


def told(was: Service, comes: Service, steps: list[dict[str, object]] | None = None) -> list[str]:
    return list(moves(outputs(was), outputs(comes), from_steps(steps or [], {})))


def test_a_switch_says_what_is_deleted_replaced_and_created_and_what_becomes_of_the_address() -> None:
    [sentence] = told(OLD, NEW, STEPS)

    assert sentence == (
        f"web moves from app-runner to fargate{TOUCHED}; https://old stops answering with app-runner, its new address "
        "is known once it is applied; with a `domain` of its own it would keep one address"
    )


@pytest.mark.parametrize(
    ("comes", "words"),
    [
        pytest.param({"url": "https://new"}, "its new address is https://new; with a `domain`", id="known already"),
        pytest.param(
            {"url": "https://app.example.com", "domain": Domain("app.example.com", "lb.aws")},
            "https://old stops answering with app-runner, its new address is https://app.example.com",
            id="a domain is given with it",
        ),
        pytest.param(
            {"url": "https://old", "domain": Domain("old", "lb.aws")},
            "its address stays https://old, once the DNS leads to lb.aws",
            id="the domain stays",
        ),
        pytest.param(
            {"url": "https://old", "domain": Domain("old")},
            "once the DNS leads to the new runtime",
            id="the domain stays and where it leads is not known yet",
        ),
    ],
)
def test_what_is_known_of_the_new_address_is_said(comes: dict[str, object], words: str) -> None:
    [sentence] = told(OLD, replace(NEW, **comes))  # type: ignore[arg-type]  # a row of fields

    assert words in sentence
    assert ("domain` of its own" in sentence) == ("domain" not in comes)


def test_a_service_that_nobody_reaches_from_outside_has_no_address_to_lose() -> None:
    assert told(replace(OLD, url="", private=True), replace(NEW, private=True)) == [
        "web moves from app-runner to fargate"
    ]


def test_with_leaving_both_run_and_the_old_address_answers_until_that_line_goes() -> None:
    [sentence] = told(OLD, replace(NEW, leaving=Former("app-runner", "arn:old", "https://old")))

    assert sentence.startswith(
        "web moves from app-runner to fargate, and app-runner runs on beside it while `leaving: app-runner` is set; "
        "https://old answers until that line goes, its new address is known once it is applied"
    )


def test_the_release_that_lets_the_old_runtime_go_says_which_address_ends() -> None:
    both = replace(NEW, service="arn:new", url="https://new", leaving=Former("app-runner", "arn:old", "https://old"))

    assert told(both, replace(both, leaving=None), STEPS[:1]) == [
        "web lets app-runner go, which it has left; deleted: apprunner Service; https://old stops answering"
    ]
    assert told(both, both) == []


@pytest.mark.parametrize("was", [replace(OLD, service=""), replace(NEW, service="arn:new", url="https://new")])
def test_without_a_move_nothing_is_said(was: Service) -> None:
    assert told(was, NEW, STEPS) == []


def test_a_service_that_is_new_or_that_goes_moves_nowhere() -> None:
    assert moves(Outputs("staging", REGION, services={"a": OLD}), Outputs("staging", REGION), Plan()) == ()


@pytest.mark.parametrize(
    ("operation", "kind", "words"),
    [
        pytest.param("replace", APP_RUNNER, ": its address, its log group and the metrics", id="App Runner"),
        pytest.param("replace", "aws:lb/loadBalancer:LoadBalancer", ": the address and", id="a load balancer"),
        pytest.param("delete", APP_RUNNER, ", and its address with it", id="deleted"),
        pytest.param("update", APP_RUNNER, "", id="an update"),
        pytest.param("replace", "aws:iam/role:Role", "", id="a role has no address"),
    ],
)
def test_a_replacement_that_changes_an_address_says_so(operation: str, kind: str, words: str) -> None:
    planned = from_steps([step(operation, kind, "web", "name")], {})

    assert addresses(planned, planned.changes[0]).startswith(words)
    assert bool(words) == bool(addresses(planned, planned.changes[0]))
