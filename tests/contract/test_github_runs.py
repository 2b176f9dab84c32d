"""Runs of GitHub Actions over real HTTP: when they ended, and everything that must not be asked."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from releasectl.edges.again import PATIENCE
from releasectl.edges.github_runs import GithubRuns, RunNotTold
from sandbox.process import free_port
from tests.contract.answers import CUT, Answer, Asked, Server, serving

TOKEN = "not-for-others"
SERVER = "https://github.example"
RUN = f"{SERVER}/team/web.shop/actions/runs/19203"
OVER = {"id": 19203, "status": "completed", "conclusion": "cancelled", "updated_at": "2026-11-21T03:04:05Z"}


class Github:
    """What it answers next, the last again and again."""

    def __init__(self) -> None:
        self.answers = [Answer(body=json.dumps(OVER).encode())]
        self.server: Server

    def says(self, *answers: Answer) -> None:
        self.answers = list(answers)

    def answer(self, _asked: Asked) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def environment(self) -> dict[str, str]:
        return {"GITHUB_SERVER_URL": SERVER, "GITHUB_API_URL": self.server.url, "GITHUB_TOKEN": TOKEN}


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[Github]:
    monkeypatch.setenv(PATIENCE, "3")
    github = Github()
    with serving(github.answer) as server:
        github.server = server
        yield github


def run(**more: object) -> Answer:
    return Answer(body=json.dumps(OVER | more).encode())


def test_a_run_that_is_over_says_when(github: Github) -> None:
    ended = GithubRuns(github.environment).ended(RUN)

    assert ended == datetime(2026, 11, 21, 3, 4, 5, tzinfo=UTC)
    asked = github.server.asked[0]
    assert (asked.method, asked.path) == ("GET", "/repos/team/web.shop/actions/runs/19203")
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"


def test_an_attempt_is_asked_for_by_its_number(github: Github) -> None:
    GithubRuns(github.environment).ended(f"{RUN}/attempts/3")

    assert github.server.asked[0].path == "/repos/team/web.shop/actions/runs/19203/attempts/3"


@pytest.mark.parametrize("status", ["queued", "in_progress", "waiting", "requested", "pending", "a word of tomorrow"])
def test_a_run_that_is_not_completed_goes_on(github: Github, status: str) -> None:
    github.says(run(status=status, conclusion=None))

    assert GithubRuns(github.environment).ended(RUN) is None


@pytest.mark.parametrize("variables", [{"GITHUB_TOKEN": "", "GH_TOKEN": TOKEN}, {"GITHUB_API_URL": "{url}/"}])
def test_the_ordinary_variables_are_enough(github: Github, variables: dict[str, str]) -> None:
    given = {name: value.format(url=github.server.url) for name, value in variables.items()}

    assert GithubRuns(github.environment | given).ended(RUN)


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param("https://evil.example/team/web/actions/runs/1", id="another host"),
        pytest.param(f"{SERVER}.evil.example/team/web/actions/runs/1", id="a longer host"),
        pytest.param(f"{SERVER}@evil.example/team/web/actions/runs/1", id="our host as a user"),
        pytest.param("http://github.example/team/web/actions/runs/1", id="in clear"),
        pytest.param(f"{SERVER}/../../actions/runs/1", id="two steps up"),
        pytest.param(f"{SERVER}/team/../actions/runs/1", id="a step up"),
        pytest.param(f"{SERVER}/team/web/actions/runs/1/../../secrets", id="another question"),
        pytest.param(f"{SERVER}/team/web/actions/runs/1?x=1", id="a query"),
        pytest.param(f"{SERVER}/team/web/actions/runs/1#x", id="a fragment"),
        pytest.param(f"{SERVER}/team/web/actions/runs/1\n", id="a line's end"),
        pytest.param(f"{SERVER}/team/web%2f..%2f..%2fuser/actions/runs/1", id="escaped"),
        pytest.param(f"{SERVER}/team/web/actions/runs/1/attempts/x", id="no number"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_is_no_run_on_our_server_is_asked_of_nobody(github: Github, hostile: str) -> None:
    with pytest.raises(RunNotTold, match="it is no run on https"):
        GithubRuns(github.environment).ended(hostile)
    assert github.server.asked == []


def test_a_server_that_sends_us_elsewhere_is_not_followed(github: Github) -> None:
    with serving(lambda _asked: run()) as elsewhere:
        github.says(Answer(301, headers={"Location": f"{elsewhere.url}/repos/team/web"}))

        with pytest.raises(RunNotTold, match="status 301"):
            GithubRuns(github.environment).ended(RUN)
        assert elsewhere.asked == []


def test_without_a_token_nobody_is_asked(github: Github) -> None:
    with pytest.raises(RunNotTold, match="no token") as caught:
        GithubRuns({**github.environment, "GITHUB_TOKEN": ""}).ended(RUN)
    assert caught.value.remedy.startswith("Set GITHUB_TOKEN")
    assert github.server.asked == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(Answer(404), "status 404", id="no such run"),
        pytest.param(Answer(401), "denied", id="token not known"),
        pytest.param(Answer(403), "denied", id="token too small"),
        pytest.param(Answer(200, b"<html>"), "no JSON", id="a page"),
        pytest.param(Answer(200, b"[]"), "the answer is none", id="a list"),
        pytest.param(Answer(200, b'{"status": "completed"}'), "the answer is none", id="no time"),
    ],
)
def test_a_no_that_stays_is_told_at_once_and_never_with_the_token(github: Github, answer: Answer, words: str) -> None:
    github.says(answer)

    with pytest.raises(RunNotTold, match=words) as caught:
        GithubRuns(github.environment).ended(RUN)
    assert len(github.server.asked) == 1
    assert TOKEN not in caught.value.message + caught.value.remedy


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(Answer(503), id="broken"),
        pytest.param(CUT, id="cut"),
        pytest.param(Answer(429), id="too often"),
        pytest.param(Answer(403, headers={"X-RateLimit-Remaining": "0"}), id="too often, as GitHub says it"),
    ],
)
def test_a_bad_moment_passes(github: Github, bad: Answer) -> None:
    github.says(bad, run())

    assert GithubRuns(github.environment).ended(RUN)
    assert len(github.server.asked) == 2


def test_a_server_that_stays_away_is_told_with_how_long_it_was_asked(
    github: Github, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PATIENCE, "0.5")
    github.says(Answer(502))

    with pytest.raises(RunNotTold, match=r"unreachable: status 502 \(asked \d+ times in \d s\)"):
        GithubRuns(github.environment).ended(RUN)
    nowhere = github.environment | {"GITHUB_API_URL": f"http://127.0.0.1:{free_port()}"}
    with pytest.raises(RunNotTold, match="unreachable"):
        GithubRuns(nowhere).ended(RUN)


def test_a_server_that_asks_for_more_time_than_we_have_is_not_waited_for(github: Github) -> None:
    github.says(Answer(429, headers={"Retry-After": "3600"}))

    with pytest.raises(RunNotTold, match="throttled"):
        GithubRuns(github.environment).ended(RUN)
    assert len(github.server.asked) == 1
