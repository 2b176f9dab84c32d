"""The role that deploys may do all that the controller and the program do: found in their code, not remembered."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from tests.stacks.account_recording import policies_of, record_both
from tests.stacks.iam import statements, texts
from tests.stacks.iam_lint import exists
from tests.stacks.recording_engine import PROJECT_ROOT, Recording

# IAM's names of services where they are not the client's.
PREFIXES = {"elbv2": "elasticloadbalancing"}
# Run by a person with the rights of an administrator, or asking what needs no permission.
BY_A_PERSON = {"account.py", "orphans_bootstrap.py"}
FREE = {"sts:GetCallerIdentity"}
ASKING = sorted(
    path
    for folder in ("releasectl/edges", "stacks/runtimes")
    for path in (PROJECT_ROOT / folder).glob("*.py")
    if path.name not in BY_A_PERSON
)


@pytest.fixture(scope="module")
def allowed(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every action that a deployment may call on something."""
    recording: Recording = record_both(tmp_path_factory.mktemp("account"))
    found = [one for text in policies_of(recording, "releasectl-staging-deploy") for one in statements(text)]
    return {action for one in found if one["Effect"] == "Allow" for action in texts(one["Action"])}


@cache
def operations(service: str) -> dict[str, str]:
    """What boto3 calls each operation, and its name."""
    model: Any = botocore.session.get_session().get_service_model(service)
    return {xform_name(name): name for name in model.operation_names}


def calls(path: Path) -> Iterator[str]:
    """The IAM actions of all calls in a module: a call counts for each service of which the module makes a client."""
    tree = list(ast.walk(ast.parse(path.read_text())))
    named = [each for each in tree if isinstance(each, ast.Call)]
    texts_of = {
        first.value
        for each in named
        for first in each.args[:1]
        if isinstance(first, ast.Constant) and isinstance(first.value, str)
    }
    services = texts_of & set(botocore.session.get_session().get_available_services())
    methods = {each.func.attr for each in named if isinstance(each.func, ast.Attribute)} | texts_of
    for service in services:
        for method in methods & set(operations(service)):
            yield f"{PREFIXES.get(service, service)}:{operations(service)[method]}"


@pytest.mark.parametrize("path", [one for one in ASKING if set(calls(one))], ids=lambda path: path.name)
def test_a_deployment_may_make_every_call_of_the_controller(path: Path, allowed: set[str]) -> None:
    asked = {action for action in calls(path) if exists(action)} - FREE

    assert asked - allowed == set()


def test_the_calls_are_found() -> None:
    found = {action for path in ASKING for action in calls(path)}

    assert {"apprunner:DescribeService", "ecr:BatchGetImage", "logs:GetLogEvents", "sns:Publish"} <= found
    assert len(found) > 15
