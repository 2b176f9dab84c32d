"""A remote that is away, throttled, slow, or whose answers are lost, over real HTTP: git's own server behind a door."""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from releasectl.edges.again import PATIENCE
from releasectl.edges.git import Git
from releasectl.edges.git_process import GitFailed, GitProcess
from releasectl.edges.git_remote import MissingRemote, RemoteDenied, RemoteThrottled, RemoteUnreachable
from releasectl.errors import ControllerError, UnknownCommit
from sandbox.process import free_port
from tests.contract.answers import CUT, Answer, Asked, serving
from tests.contract.conftest import Remote, git

READ = "GET /remote.git/info/refs?service=git-upload-pack"
FETCH = "POST /remote.git/git-upload-pack"
PUSH = "POST /remote.git/git-receive-pack"


@dataclass
class Door:
    """`moments` answer once instead of git, `always` each time; what is `deaf` is done and never answered."""

    folder: Path
    moments: list[tuple[str, Answer]] = field(default_factory=list)
    always: dict[str, Answer] = field(default_factory=dict)
    deaf: list[str] = field(default_factory=list)
    slow: float = 0.0
    asked: list[str] = field(default_factory=list)

    def answer(self, asked: Asked) -> Answer:
        line = f"{asked.method} {asked.path}"
        self.asked.append(line)
        time.sleep(self.slow)
        for moment in self.moments:
            if moment[0] == line:
                self.moments.remove(moment)
                return moment[1]
        if line in self.always:
            return self.always[line]
        said = self._git(asked)
        if line in self.deaf:
            self.deaf.remove(line)
            return CUT
        return said

    def _git(self, asked: Asked) -> Answer:
        """git's own CGI program."""
        path, _, query = asked.path.partition("?")
        variables = {
            "GIT_PROJECT_ROOT": str(self.folder), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": asked.method, "CONTENT_TYPE": asked.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": asked.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": asked.headers.get("Git-Protocol", ""), "REMOTE_USER": "bo", "REMOTE_ADDR": "127.0.0.1",
            "PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull,
        }  # fmt: skip
        done = subprocess.run(
            ["git", "http-backend"], input=asked.body, env=variables, capture_output=True, check=False
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        return Answer(int(headers.pop("Status", "200").split()[0]), body, headers)


@pytest.fixture
def door(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setenv(PATIENCE, "20")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return Door(remote.folder)


@pytest.fixture
def clone(remote: Remote, door: Door) -> Iterator[Git]:
    """A clone whose remote is behind the door."""
    clone = remote.clone("clone")
    with serving(door.answer) as server:
        git(clone.root, "remote", "set-url", "origin", f"{server.url}/remote.git")
        yield clone


WHERE = r"(?s)^talking to http://127\.0\.0\.1:\d+/remote\.git: "
BROKEN, THROTTLED = Answer(503), Answer(429)


@pytest.mark.parametrize("bad", [BROKEN, Answer(500), THROTTLED, CUT], ids=["away", "broken", "throttled", "cut"])
def test_a_bad_moment_while_reading_passes(remote: Remote, clone: Git, door: Door, bad: Answer) -> None:
    tip = remote.commit({"new": b"1"})
    door.moments = [(READ, bad), (FETCH, bad)]

    assert clone.fetch() == tip
    assert clone.read(tip, "new") == b"1"
    assert door.moments == []


@pytest.mark.parametrize("bad", [BROKEN, CUT], ids=["away", "cut"])
def test_a_bad_moment_while_pushing_passes(remote: Remote, clone: Git, door: Door, bad: Answer) -> None:
    door.moments.append((PUSH, bad))
    commit = clone.commit("main", "Once", lambda _tip: {"once": b"1"})

    assert remote.tip() == commit
    assert git(remote.bare, "rev-list", "--count", "main") == "2"


def test_a_push_whose_answer_was_lost_is_not_made_twice(remote: Remote, clone: Git, door: Door) -> None:
    asked: list[str] = []
    door.deaf.append(PUSH)

    def change(tip: str) -> dict[str, bytes | None]:
        asked.append(tip)
        return {"log": (clone.read(tip, "log") or b"") + b"line\n"}

    commit = clone.commit("main", "Once", change)

    assert (remote.tip(), clone.read(commit, "log")) == (commit, b"line\n")
    assert len(asked) == 1, "nothing was made up anew"


def test_a_lost_answer_is_found_although_others_went_on_meanwhile(remote: Remote, clone: Git, door: Door) -> None:
    door.deaf.append(PUSH)
    remote.hook("post-update", 'test -e "$GIT_DIR/once" || { : > "$GIT_DIR/once"; sh "$GIT_DIR/../others.sh"; }')
    # Another one's commit arrives before we ask again.
    (remote.folder / "others.sh").write_text(
        "unset GIT_DIR GIT_QUARANTINE_PATH; cd "
        f"{remote.folder}/bo && git pull -q origin main && "
        "git -c user.name=Cy -c user.email=c@x commit -q --allow-empty -m Theirs && git push -q origin main\n"
    )
    commit = clone.commit("main", "Ours", lambda _tip: {"once": b"1"})
    subjects = git(remote.bare, "log", "--format=%s", "main").splitlines()

    assert subjects == ["Theirs", "Ours", "The project"]
    assert git(remote.bare, "rev-parse", "main~1") == commit


# ---- when it is over: which of them it was, where, how long, and what helps ----


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(Answer(503), RemoteUnreachable, id="broken"),
        pytest.param(CUT, RemoteUnreachable, id="cut"),
        pytest.param(Answer(429), RemoteThrottled, id="throttled"),
    ],
)
def test_a_no_that_stays_for_our_patience_is_told(
    clone: Git, door: Door, answer: Answer, error: type[ControllerError]
) -> None:
    os.environ[PATIENCE] = "1.5"  # the fixture puts it back
    door.always[READ] = answer

    with pytest.raises(error, match=WHERE + r".*asked \d+ times in \d s\)$") as caught:
        clone.fetch()
    assert type(caught.value) is error
    assert len(door.asked) > 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(Answer(403), RemoteDenied, id="denied"),
        pytest.param(Answer(401, headers={"WWW-Authenticate": "Basic"}), RemoteDenied, id="not known"),
        pytest.param(Answer(404), MissingRemote, id="not there"),
        pytest.param(Answer(418), GitFailed, id="anything else"),
    ],
)
def test_a_no_for_good_is_told_at_once(clone: Git, door: Door, answer: Answer, error: type[ControllerError]) -> None:
    door.always[READ] = answer

    with pytest.raises(error, match=WHERE) as caught:
        clone.fetch()
    assert type(caught.value) is error
    assert len(door.asked) == 1


def test_a_remote_that_never_answers_is_given_up(clone: Git, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE, "0")
    door.slow = 4.0

    with pytest.raises(RemoteUnreachable, match="Operation too slow"):
        clone.fetch()


def test_a_git_that_never_ends_is_ended(remote: Remote) -> None:
    process = GitProcess(remote.clone("clone").root)

    with pytest.raises(GitFailed, match="no answer within 0 s"):
        process.run("-c", "alias.wait=!sleep 1", "wait", timeout=0.1)


def test_a_name_that_nobody_resolves_is_unreachable(clone: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE, "0")
    git(clone.root, "remote", "set-url", "origin", "https://nowhere.invalid/x.git")

    with pytest.raises(RemoteUnreachable, match=r"nowhere\.invalid"):
        clone.fetch()


def test_a_push_that_is_denied_is_made_once(clone: Git, door: Door) -> None:
    door.always["GET /remote.git/info/refs?service=git-receive-pack"] = Answer(403)

    with pytest.raises(RemoteDenied):
        clone.commit("main", "No", lambda _tip: {"a": b""})
    assert len([line for line in door.asked if "receive-pack" in line]) == 1


def test_a_no_without_a_name_is_told_at_once_and_not_called_a_race(clone: Git, door: Door) -> None:
    door.always[PUSH] = Answer(418)

    with pytest.raises(GitFailed, match="418"):
        clone.commit("main", "No", lambda _tip: {"a": b""})
    assert door.asked.count(PUSH) == 1


def test_an_outage_does_not_make_a_commit_unknown(clone: Git, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE, "0")
    with pytest.raises(UnknownCommit):
        clone.is_ancestor("e" * 40, clone.fetch())
    tip = clone.fetch()
    door.always[READ] = BROKEN

    with pytest.raises(RemoteUnreachable):
        clone.is_ancestor("e" * 40, tip)


def test_an_impatient_word_is_no_number(clone: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE, "soon")

    with pytest.raises(ControllerError, match="RELEASECTL_PATIENCE") as caught:
        clone.fetch()
    assert caught.value.exit_code == 2


def test_a_door_that_nobody_opens_is_unreachable(clone: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE, "0")
    git(clone.root, "remote", "set-url", "origin", f"http://127.0.0.1:{free_port()}/x.git")

    with pytest.raises(RemoteUnreachable):
        clone.fetch()
