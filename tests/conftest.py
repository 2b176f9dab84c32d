"""Guards: a test of the pure core reaches neither a network, nor this person's home, nor an account.

Tests of the real edges live in folders of their own and are left alone.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

GUARDED = {"unit", "properties"}
FIRST = (
    *(
        "tests/act",
        "tests/e2e/test_drift",
        "tests/e2e/test_recovery",
        "tests/e2e/test_stopping",
        "tests/e2e/test_errors",
    ),
    *("tests/e2e", "tests/chaos", "tests/docs", "tests/sandbox/test_place", "tests/contract", "tests/properties"),
)
_watch = {"on": False}


class ForgotTwin(BaseException):
    """A unit test reached for the network. No `except Exception` of the code under test may hide it."""


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _watch["on"] and event in ("socket.connect", "socket.bind", "socket.getaddrinfo"):
        raise ForgotTwin(f"{event}{arguments}: give this test a twin from tests/twins.py instead of a real edge")


sys.addaudithook(_audit)


@pytest.fixture(autouse=True)
def _no_outside(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    if GUARDED.isdisjoint(request.path.relative_to(Path(__file__).parent).parts):
        yield
        return
    monkeypatch.setenv("HOME", str(tmp_path_factory.getbasetemp() / "nobody"))
    for name in os.environ:
        if name.startswith(("AWS_", "PULUMI_", "GIT_")):
            monkeypatch.delenv(name)
    _watch["on"] = True
    yield
    _watch["on"] = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes minutes is left to the night, or to whoever names its file. The longest first: the files are dealt
    out to the workers, and a long last one would leave the others idle."""
    if not (os.environ.get("NIGHTLY") or any(".py" in argument for argument in config.args)):
        later = [item for item in items if item.get_closest_marker("nightly")]
        config.hook.pytest_deselected(items=later)
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]
    items.sort(key=lambda item: next((place for place, path in enumerate(FIRST) if path in item.nodeid), len(FIRST)))
