"""Issues over real HTTP: ours found by marker and author, edited in place, closed; nobody else's ever touched."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from releasectl.edges.again import PATIENCE
from releasectl.edges.github.errors import GithubDenied, GithubFailed
from tests.contract.github import Place, github_at

MARKER = "<!-- release-controller: drift staging -->"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv(PATIENCE, "3")
    with github_at(tmp_path) as place:
        yield place


def test_an_issue_is_opened_edited_in_place_and_closed(place: Place) -> None:
    issues = place.edge.issues
    assert issues.find(MARKER) is None

    made = issues.put(MARKER, "Drift in staging", "one")
    edited = issues.put(MARKER, "Drift in staging", "two")
    closed = issues.close(MARKER, "none any more")

    assert (made.number, made.is_open, made.body) == (edited.number, True, f"{MARKER}\none")
    assert edited.body == f"{MARKER}\ntwo"
    assert closed is not None
    assert (closed.number, closed.is_open, closed.body) == (made.number, False, f"{MARKER}\nnone any more")
    assert place.github.state.comments == {}
    assert issues.close(MARKER, "again") is None


def test_a_text_that_is_there_already_is_not_written_again(place: Place) -> None:
    place.edge.issues.put(MARKER, "Drift", "text")
    place.edge.issues.put(MARKER, "Drift", "text")

    assert (place.asked("POST", "/issues"), place.asked("PATCH", "/issues/1")) == (1, 0)


def test_after_a_close_the_next_one_is_new(place: Place) -> None:
    first = place.edge.issues.put(MARKER, "Drift", "text")
    place.edge.issues.close(MARKER, "over")

    assert place.edge.issues.put(MARKER, "Drift", "text").number == first.number + 1


def test_ours_is_found_on_the_second_page_and_among_pull_requests(place: Place) -> None:
    ours = place.edge.issues.put(MARKER, "Drift", "text")
    place.pull()
    for number in range(120):
        place.desk.issue("alice", f"Issue {number}", "words")
    place.desk.order("repeated", method="GET", path="/issues$")

    assert place.edge.issues.find(MARKER) == ours


def test_a_planted_marker_and_another_environment_s_are_left_alone(place: Place) -> None:
    planted = place.desk.issue("mallory", "Drift", f"{MARKER}\nnothing to see")
    other = place.edge.issues.put(MARKER.replace("staging", "staging-tokyo"), "Drift", "text")
    inside = place.edge.issues.put("<!-- another -->", "Words", f"quoted:\n{MARKER}")

    ours = place.edge.issues.put(MARKER, "Drift", "text")
    place.edge.issues.close(MARKER, "over")

    kept = place.github.state.issues
    assert len({planted, other.number, inside.number, ours.number}) == 4
    assert [kept[each].state for each in (planted, other.number, inside.number)] == ["open"] * 3
    assert kept[planted].body == f"{MARKER}\nnothing to see"


def test_a_name_that_looks_like_ours_is_not_ours(place: Place) -> None:
    planted = place.desk.issue("github-actions[bot]", "Drift", f"{MARKER}\nmine")

    assert place.edge.issues.put(MARKER, "Drift", "text").number != planted


def test_of_several_the_oldest_stays(place: Place) -> None:
    first = place.edge.issues.put(MARKER, "Drift", "one")
    place.edge.issues._create(MARKER, "Drift", f"{MARKER}\ntwo")
    assert len(place.github.state.issues) == 2

    assert place.edge.issues.put(MARKER, "Drift", "three").number == first.number
    assert [one.state for one in place.github.state.issues.values()] == ["open", "closed"]


@pytest.mark.parametrize("fault", ["lost", "broken-after"])
def test_an_issue_whose_answer_was_lost_is_not_opened_twice(place: Place, fault: str) -> None:
    place.desk.order(fault, method="POST", path="/issues$")

    made = place.edge.issues.put(MARKER, "Drift", "text")

    assert list(place.github.state.issues) == [made.number]


def test_who_may_not_write_issues_is_told(place: Place) -> None:
    reader = place.as_token(place.desk.token(permissions={"issues": "read"}))

    with pytest.raises(GithubDenied, match="opening an issue"):
        reader.issues.put(MARKER, "Drift", "text")


def test_a_text_that_is_too_long_is_never_sent(place: Place) -> None:
    with pytest.raises(GithubFailed, match="too many"):
        place.edge.issues.put(MARKER, "Drift", "x" * 70_000)
    assert place.github.asked == []


def test_a_comment_can_be_put_on_an_issue(place: Place) -> None:
    number = place.edge.issues.put(MARKER, "Drift", "text").number

    assert place.edge.comments.put(number, "<!-- m -->", "words").body == "<!-- m -->\nwords"
