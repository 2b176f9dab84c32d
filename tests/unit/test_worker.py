"""What the worker makes of the engine's steps, before they become a plan."""

from types import SimpleNamespace
from typing import Any

import pytest

from releasectl.edges.worker import reduced, whole

VARIABLES = [{"name": "LEVEL", "value": "info", "__defaults": []}, {"name": "RELEASE_DIGEST", "value": "a"}]
INPUTS: dict[str, Any] = {"primaryContainer": {"environments": VARIABLES}, "ports": [{"port": 80}], "empty": []}


def state(inputs: dict[str, Any]) -> Any:
    return SimpleNamespace(inputs=inputs, outputs={}, protect=False)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        pytest.param("primaryContainer.environments[1].value", "primaryContainer.environments", id="a variable"),
        pytest.param("primaryContainer.environments[2]", "primaryContainer.environments", id="one that is new"),
        pytest.param("primaryContainer.image", "primaryContainer.image", id="no list"),
        pytest.param("ports[0].port", "ports[0].port", id="a list of other things"),
        pytest.param("empty[0].name", "empty[0].name", id="an empty list says nothing of its kind"),
        pytest.param("nowhere[0].name", "nowhere[0].name", id="what is not there"),
    ],
)
def test_a_place_in_a_list_of_names_and_values_is_told_as_the_list(path: str, told: str) -> None:
    assert whole(path, state(INPUTS), None) == told


def test_several_places_in_such_a_list_are_one_property_with_both_sides_of_it() -> None:
    after = [{"name": "NEW", "value": "1"}, {"name": "RELEASE_DIGEST", "value": "b"}]
    paths = ("environments[0].name", "environments[0].value", "environments[1].value")
    step = SimpleNamespace(
        type="t", urn="u", diffs=(), old=state(INPUTS), new=state({"primaryContainer": {"environments": after}}),
        detailed_diff={f"primaryContainer.{path}": SimpleNamespace(diff_kind="update") for path in paths},
    )  # fmt: skip

    assert reduced(step, "update")["properties"] == [
        {"path": "primaryContainer.environments", "kind": "update", "before": VARIABLES, "after": after}
    ]
