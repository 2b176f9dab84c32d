"""Words of others: shown whole, and obeyed by nobody's terminal."""

from dataclasses import replace
from pathlib import Path

import pytest

from releasectl import report
from releasectl.errors import ControllerError, Finding
from releasectl.plain_text import never_skipping, plain
from releasectl.reconcile import reconcile
from tests.twins import Scene, digest, repository

EVIL = "\x1b]0;owned\x07\x1b[2J\rall is well\u202e\x9b31m\x00"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        pytest.param("\x1b[31mred", r"\x1b[31mred", id="an escape"),
        pytest.param("good\rbad", r"good\rbad", id="back to the line's start"),
        pytest.param("\u202eevil", r"\u202eevil", id="backwards"),
        pytest.param("\x9b2J", r"\x9b2J", id="an escape of eight bits"),
        pytest.param("\ud800", r"\ud800", id="half a character"),
        pytest.param("Größe 決 \N{SNOWMAN}\n\tin", "Größe 決 \N{SNOWMAN}\n\tin", id="ordinary words"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_what_cannot_be_seen_is_made_visible_and_the_rest_stays(text: str, seen: str) -> None:
    assert plain(text) == seen


@pytest.mark.parametrize("words", ["skip ci", "ci skip", "no ci", "skip actions", "actions skip", "Skip CI"])
def test_no_word_in_a_message_keeps_github_from_deploying_it(words: str) -> None:
    assert never_skipping(f"Hold: why [{words}] not\n\n\nskip-checks: true\n") == (
        f"Hold: why ({words}) not\n\n\n(skip-checks): true\n"
    )


def test_a_message_that_skips_nothing_stays_as_it_is() -> None:
    assert never_skipping("Bump web [1.4.0]\n\nWe skip ci: skip-checks: true\n") == (
        "Bump web [1.4.0]\n\nWe skip ci: skip-checks: true\n"
    )


def is_plain(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)


def test_no_log_line_subject_or_name_reaches_a_terminal_as_a_command(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.push(digest("A"))
    scene.cloud.repositories.add(repository("staging", "web"))
    scene.pin(digest("A"))
    deployment = reconcile("staging", scene.world).deployment
    assert deployment is not None
    hostile = replace(
        deployment, by=EVIL, reason=EVIL, log={"web": (EVIL,)}, findings=(Finding("x", EVIL, EVIL, EVIL),)
    )  # fmt: skip

    for told in (report.deployment(hostile), report.history([hostile]), str(hostile.findings[0])):
        assert is_plain(told)
        assert r"\x1b]0;owned" in told


def test_no_cause_of_an_error_does_either() -> None:
    error = ControllerError(f"talking to the remote: {EVIL}", "Look.")

    assert is_plain(error.message)
    assert is_plain(str(error))
