"""The table of traps names tests that exist, so that it cannot outlive what it claims."""

import re

from tests.docs.pages import PROJECT

TESTS = {
    name
    for folder in ("tests", "service/tests")
    for file in (PROJECT / folder).rglob("test_*.py")
    for name in re.findall(r"def (test_\w+)", file.read_text())
}
ROWS = [
    line
    for line in (PROJECT / "docs/aws-traps.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| trap")
]


def test_every_trap_names_tests_and_each_of_them_exists() -> None:
    for row in ROWS:
        named = re.findall(r"`(test_\w+)`", row.split(" | ")[-1])
        assert named, row
        assert set(named) <= TESTS, row


def test_the_table_has_rows() -> None:
    assert len(ROWS) > 50
