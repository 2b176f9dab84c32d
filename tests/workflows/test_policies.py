"""Every workflow obeys every policy, and every policy finds the mistakes that it is there for."""

import pytest

from tests.workflows import flow, pins, rights
from tests.workflows.bad_examples import EXAMPLES, Bad, Policy
from tests.workflows.files import Project, ours
from tests.workflows.pins import ON_MAIN, REVIEW, is_own, uses

OURS = ours()
POLICIES = (*pins.POLICIES, *rights.POLICIES, *flow.POLICIES)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
def test_every_workflow_obeys(policy: Policy) -> None:
    assert list(policy(OURS)) == []


@pytest.mark.parametrize("bad", EXAMPLES, ids=lambda bad: f"{bad.policy.__name__}: {bad.says}")
def test_a_mistake_is_found(bad: Bad) -> None:
    found = list(bad.policy(bad.project))

    assert len(found) == 1, found
    assert bad.says in found[0]


def test_every_policy_is_shown_a_mistake() -> None:
    assert {bad.policy for bad in EXAMPLES} == set(POLICIES)


def test_there_are_workflows_and_actions_to_look_at() -> None:
    assert len(OURS.workflows) >= 10
    assert len(OURS.files) > len(OURS.workflows)
    assert all(file.jobs for file in OURS.files)


def test_one_workflow_alone_is_used_as_it_is_on_main() -> None:
    own = [(path, used) for path, used, _ in uses(OURS) if is_own(path, used) and not used.startswith("$/")]

    assert [path for path, _ in own] == [REVIEW]
    assert all(ON_MAIN.fullmatch(used) for _, used in own)


def test_a_workflow_may_be_broken_without_hiding_the_next() -> None:
    project = Project({".github/workflows/a.yml": "", ".github/workflows/b.yml": "on: workflow_run"})

    assert list(rights.only_events_that_lend_no_rights(project)) == [".github/workflows/b.yml: starts by workflow_run"]
