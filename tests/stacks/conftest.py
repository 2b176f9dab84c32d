"""An ECS that answers, and credentials that mean nothing, for the one question that the program asks AWS."""

from collections.abc import Iterator

import pytest

from tests.stacks.programs import ecs


@pytest.fixture(autouse=True, scope="session")
def _asked() -> Iterator[None]:
    with ecs() as endpoint, pytest.MonkeyPatch.context() as variables:
        variables.setenv("AWS_ENDPOINT_URL_ECS", endpoint)
        variables.setenv("AWS_ACCESS_KEY_ID", "test")
        variables.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield
