"""The one pull request of bumps: monotonic, idempotent, never bringing back what main went away from."""

import pytest

from releasectl.forge import Check
from releasectl.pipeline import Rejection, rejection_path
from releasectl.proposals import Build, bump
from releasectl.release import parse_release
from releasectl.standing_pull import Act, Seen, carrying, move, title_and_body, wanted_file, why_not_merged

PATH = "releases/staging.yaml"
C = [letter * 40 for letter in "0123456789"]  # commits, oldest first
D = [f"sha256:{letter * 64}" for letter in "0123456789"]


def older(one: str, other: str) -> bool:
    return C.index(one) <= C.index(other)


def file(web: int, api: int, program: int = 0) -> bytes:
    """Services at numbered builds."""
    pins = "".join(
        f'  {name}:\n    digest: {D[at]}\n    version: "1.{at}"\n    commit: "{C[at]}"\n    restart: ""\n'
        for name, at in (("web", web), ("api", api))
    )
    return f'schema: "1"\nprogram: "{C[program]}"\nservices:\n{pins}'.encode()


def want(seen: Seen, web: int, rejections: dict[str, Rejection] | None = None) -> tuple[Act, bytes]:
    """A build of web comes."""
    build = Build("web", D[web], f"1.{web}", C[web])
    known = rejections or {}
    wanted, reason = wanted_file(
        PATH,
        seen,
        lambda raw: bump(PATH, raw, build=build, program="", is_ancestor=older, rejections=known),
        carrying(PATH, older, known),
    )
    return move(seen, wanted, reason).act, wanted


def test_the_first_bump_is_proposed() -> None:
    assert want(Seen(file(1, 1)), 2) == (Act.PROPOSE, file(2, 1))


def test_what_main_has_is_not_proposed_and_an_open_one_is_withdrawn() -> None:
    assert want(Seen(file(2, 1)), 2) == (Act.REST, file(2, 1))
    assert want(Seen(file(2, 1), file(2, 1), file(1, 1)), 2) == (Act.WITHDRAW, file(2, 1))


@pytest.mark.parametrize("late", [1, 2, 3])
def test_an_older_or_the_same_build_moves_nothing(late: int) -> None:
    assert want(Seen(file(1, 1), file(3, 1), file(1, 1), has_main=True), late) == (Act.REST, file(3, 1))


def test_a_newer_build_is_added_in_place_and_other_services_stay() -> None:
    assert want(Seen(file(1, 1), file(3, 5), file(1, 1), has_main=True), 4) == (Act.AMEND, file(4, 5))


def test_main_is_taken_in_with_what_it_has_by_now() -> None:
    seen = Seen(on_main=file(1, 6), proposed=file(3, 1), before=file(1, 1))

    assert want(seen, 4) == (Act.TAKE_IN, file(4, 6))


def test_what_the_branch_did_not_touch_never_undoes_a_rollback_on_main() -> None:
    seen = Seen(on_main=file(1, 2), proposed=file(3, 5), before=file(1, 5))  # api went back from 5 to 2

    assert want(seen, 4) == (Act.TAKE_IN, file(4, 2))


def test_what_was_rejected_since_it_was_proposed_goes() -> None:
    rejected = {rejection_path("staging", "api", D[5]): rejection(D[5])}
    seen = Seen(on_main=file(1, 1), proposed=file(3, 5), before=file(1, 1), has_main=True)

    assert want(seen, 4, rejected) == (Act.AMEND, file(4, 1))


def test_a_branch_on_which_a_person_works_is_not_merged_with_main() -> None:
    seen = Seen(on_main=file(1, 6), proposed=file(3, 1), before=file(1, 1), is_ours=False)

    assert want(seen, 3) == (Act.AMEND, file(3, 6))


def test_the_newest_program_stays_and_an_older_one_does_not() -> None:
    newer = Seen(on_main=file(1, 1, 0), proposed=file(3, 1, 4), before=file(1, 1, 0), has_main=True)
    late = Seen(on_main=file(1, 1, 5), proposed=file(3, 1, 4), before=file(1, 1, 0), has_main=True)

    assert parse_release(PATH, want(newer, 3)[1]).program == C[4]
    assert parse_release(PATH, want(late, 3)[1]).program == C[5]


def test_the_text_shows_what_changes_and_does_nothing() -> None:
    hostile = file(3, 1).replace(b'"1.3"', b'"@team <img src=x>"')

    title, body = title_and_body("staging", PATH, file(1, 1, 0), hostile)

    assert title == "Bump staging"
    assert "@team" not in body
    assert "<img" not in body
    assert "| <code>web</code> | <code>1&#46;1</code>" in body or "| <code>web</code> | <code>1.1</code>" in body
    assert "<code>api</code>" not in body


def check(name: str, conclusion: str) -> Check:
    return Check(1, name, "completed" if conclusion else "in_progress", conclusion, "github-actions", "")


@pytest.mark.parametrize(
    ("checks", "held", "words"),
    [
        ((), False, "has not begun"),
        ((check("lint", "success"),), False, "has not begun"),
        ((check("checks", ""),), False, "is not done"),
        ((check("checks", "failure"),), False, "says failure"),
        ((check("checks", "success"), check("preview", "failure")), False, "`preview` says failure"),
        ((check("checks", "success"),), True, "on hold"),
        ((check("checks", "success"), check("preview", "neutral")), False, ""),
    ],
)
def test_no_check_is_no_yes(checks: tuple[Check, ...], held: bool, words: str) -> None:
    said = why_not_merged(checks, held=held)

    assert (words in said) if words else said == ""


def rejection(digest: str) -> Rejection:
    return Rejection(digest, "", "it failed", "")
