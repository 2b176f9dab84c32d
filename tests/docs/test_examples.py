"""Files that a page shows are files that the controller takes, and tables that it shows are those of the code."""

import pytest

from releasectl.admission import GATES
from releasectl.check import entries
from releasectl.pipeline import parse_override
from releasectl.record import Kind
from tests.docs.pages import PAGES, Block, blocks, rows

SHOWN = [block for page in PAGES for block in blocks(page) if block.text.startswith("# releases/")]
SERVICES = {"staging": ("web",), "production": ("web",)}


def path(block: Block) -> str:
    return block.text.splitlines()[0].removeprefix("# ")


@pytest.mark.parametrize("block", SHOWN, ids=lambda block: f"{block.page.name}:{block.line}")
def test_a_shown_file_is_valid_under_its_name(block: Block) -> None:
    assert list(entries({path(block): block.text.encode()}, SERVICES)) == []


def test_a_hold_a_rejection_and_an_override_are_shown() -> None:
    assert {path(block).split("/")[1] for block in SHOWN} == {"holds", "rejected", "overrides"}


def test_the_shown_override_lets_one_release_pass_the_soak() -> None:
    [shown] = [block for block in SHOWN if "/overrides/" in path(block)]

    assert parse_override(path(shown), shown.text.encode()).gate == "soak"


def test_the_table_of_gates_is_the_one_in_the_code() -> None:
    names = {f"`{gate.name}`" for gate in GATES}
    told = [row for row in rows("docs/architecture.md") if row[0] in names]

    assert told == [
        [
            f"`{gate.name}`",
            *(str(gate.answers.get(kind, "-")) for kind in (Kind.CHANGE, Kind.ROLLBACK, Kind.RESTART, Kind.DRIFT_FIX)),
            "with the plan" if gate.needs_plan else "before it, too",
            "yes" if gate.passable else "no",
        ]
        for gate in GATES
    ]
