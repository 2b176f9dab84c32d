"""Whether a failed create means that App Runner refuses the account: a hint that leaves other failures alone."""

import pytest

from releasectl.edges.refused_runtime import refusal

URN = "urn:pulumi:staging::release-controller::x:y:Z$aws:apprunner/service:Service::web"
OTHER = "urn:pulumi:staging::release-controller::aws:ecr/repository:Repository::web"
CALLED = "operation error AppRunner: CreateService, https response error StatusCode: 400, "


@pytest.mark.parametrize(
    "message",
    [
        f"{CALLED}SubscriptionRequiredException: The AWS Access Key Id needs a subscription for the service",
        f"{CALLED}OptInRequired: You are not subscribed to this service",
        f"{CALLED}AccessDeniedException: Access denied",
        f"{CALLED}InvalidRequestException: AWS App Runner is no longer open to new customers",
        "An error occurred (AccessDeniedException) when calling the CreateService operation: not authorized",
    ],
)
def test_a_create_that_is_refused_for_the_account_has_the_one_line_to_change(message: str) -> None:
    error = refusal(URN, message)

    assert error is not None
    assert "creating web on App Runner" in error.message
    assert "seems to be refused" in error.message, "a hint, no certainty"
    assert message in error.message
    assert error.remedy.startswith("Write `runtime: ecs-express` for web")


@pytest.mark.parametrize(
    ("urn", "message"),
    [
        pytest.param(OTHER, f"{CALLED}AccessDeniedException", id="another resource"),
        pytest.param(URN, "operation error AppRunner: UpdateService, AccessDeniedException", id="no create"),
        pytest.param(URN, f"{CALLED}InvalidRequestException: Cpu is wrong", id="a wrong value"),
        pytest.param(URN, f"{CALLED}ServiceQuotaExceededException: too many", id="a quota"),
        pytest.param(
            URN,
            f"{CALLED}AccessDeniedException: User: arn:aws:sts::1:x is not authorized to perform: it",
            id="a role that lacks a permission",
        ),
    ],
)
def test_any_other_failure_keeps_its_own_words(urn: str, message: str) -> None:
    assert refusal(urn, message) is None
