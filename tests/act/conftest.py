"""A runner in a sandbox in which staging is created, with nothing released yet."""

from collections.abc import Iterator

import pytest

from tests.act import copies
from tests.act.runner import ACT, Runner
from tests.e2e.conftest import Story, story
from tests.e2e.hub import Hub, on_github

__all__ = ["story"]


@pytest.fixture(scope="module")
def hub(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with on_github(story, tmp_path_factory.mktemp("job")) as hub:
        yield hub


@pytest.fixture(scope="module")
def runner(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    assert ACT.is_file(), "it is not built: run `make act`"
    folder = tmp_path_factory.mktemp("workflows")
    copies.copy(folder)
    return Runner(hub, folder, tmp_path_factory.mktemp("act"))
