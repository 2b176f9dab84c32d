"""The git edge on real repositories: commits that never lose an update, and every way in which a remote says no."""

import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from releasectl.edges.again import PATIENCE
from releasectl.edges.git import Git, NotARepository
from releasectl.edges.git_process import GitFailed, GitProcess, scrubbed
from releasectl.edges.git_remote import MissingRemote, RemoteDenied, RemoteUnreachable
from releasectl.errors import Stale, UnknownCommit
from tests.contract.conftest import Remote, git

PATH = "releases/staging.yaml"


@pytest.fixture
def clone(remote: Remote) -> Git:
    return remote.clone("clone")


def tree_and_branches(clone: Git) -> tuple[str, str, str]:
    """What a person would see change in the clone."""
    return (
        git(clone.root, "status", "--porcelain", "--ignored"),
        git(clone.root, "for-each-ref", "refs/heads"),
        git(clone.root, "rev-parse", "HEAD"),
    )


# ---- finding the clone ----


def test_a_clone_is_found_from_any_folder_in_it(clone: Git) -> None:
    below = clone.root / "releases"

    assert Git.find(below).root == clone.root
    assert clone.folder == clone.root / ".git" / "releasectl"


def test_a_folder_outside_of_any_clone_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotARepository, match="not a git repository"):
        Git.find(tmp_path)
    with pytest.raises(NotARepository):
        Git.find(tmp_path / "nowhere")


def test_work_trees_of_one_clone_share_its_folder(clone: Git, tmp_path: Path) -> None:
    git(clone.root, "worktree", "add", "--quiet", "--detach", str(tmp_path / "other"))

    assert Git(tmp_path / "other").folder == clone.folder


# ---- committing ----


def test_a_commit_is_on_the_remote_and_nowhere_in_the_clones_work_tree(remote: Remote, clone: Git) -> None:
    before = tree_and_branches(clone)
    commit = clone.commit("main", "Pin two\n", lambda _tip: {PATH: b"two\n", "new/deep.yaml": b"x"})

    assert remote.tip() == commit
    assert clone.read(commit, PATH) == b"two\n"
    assert clone.list(commit, ".") == ("new/deep.yaml", PATH)
    assert clone.why(commit, PATH)[1] == "Pin two"
    assert tree_and_branches(clone) == before


def test_a_commit_has_no_word_that_keeps_github_from_starting_workflows(remote: Remote, clone: Git) -> None:
    clone.commit("main", "Hold: [skip ci]\n", lambda _tip: {"a": b""})

    assert git(remote.bare, "log", "-1", "--format=%s", "main") == "Hold: (skip ci)"


def test_a_change_may_delete_files(clone: Git) -> None:
    commit = clone.commit("main", "Lift", lambda _tip: {PATH: None, "a": b""})

    assert clone.list(commit, ".") == ("a",)


def test_a_new_branch_begins_without_history(remote: Remote, clone: Git) -> None:
    commit = clone.commit("deployments", "First", lambda tip: {"a": tip.encode()})

    assert remote.tip("deployments") == commit
    assert git(remote.bare, "rev-list", "--count", "deployments") == "1"
    assert clone.read(commit, "a") == b""


def test_no_change_is_no_commit(remote: Remote, clone: Git) -> None:
    before = remote.tip()

    assert clone.commit("main", "Nothing", lambda _tip: {}) == before == remote.tip()


def test_a_change_is_asked_again_when_somebody_else_was_first(remote: Remote, clone: Git) -> None:
    seen: list[bytes | None] = []

    def change(tip: str) -> dict[str, bytes | None]:
        seen.append(clone.read(tip, "counter"))
        if len(seen) == 1:
            remote.commit({"counter": b"theirs"})
        return {"ours": b"1"}

    commit = clone.commit("main", lambda: f"After {len(seen)} looks", change)

    assert seen == [None, b"theirs"]
    assert clone.read(commit, "counter") == b"theirs"
    assert clone.why(commit, "ours") == ("releasectl", "After 2 looks", "")


def test_two_clones_that_race_lose_no_update(remote: Remote) -> None:
    clones = [remote.clone(name) for name in ("one", "two")]

    def write(clone: Git) -> None:
        line = f"{clone.root.name}\n".encode()
        for _ in range(4):
            clone.commit("main", "Write", lambda tip: {"log": (clone.read(tip, "log") or b"") + line})

    threads = [threading.Thread(target=write, args=(clone,)) for clone in clones]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = (clones[0].read(clones[0].fetch(), "log") or b"").decode().splitlines()

    assert sorted(written) == ["one"] * 4 + ["two"] * 4


def test_a_commit_that_another_process_has_half_fetched_is_fetched_whole(remote: Remote, clone: Git) -> None:
    tip = remote.commit({"deep/file": b"x"})
    alone = git(remote.bare, "cat-file", "commit", tip) + "\n"
    assert clone.run("hash-object", "-t", "commit", "-w", "--stdin", stdin=alone.encode()).decode().strip() == tip

    commit = clone.commit("main", "Ours", lambda _tip: {"ours": b"1"})
    assert clone.list(commit, "deep") == ("deep/file",)


def test_a_program_that_another_process_has_half_fetched_is_brought_whole(
    remote: Remote, clone: Git, tmp_path: Path
) -> None:
    program = remote.commit({"stacks/deep.py": b"x"})
    tip = remote.commit({PATH: b"two\n"})
    for commit in (program, tip):
        alone = git(remote.bare, "cat-file", "commit", commit) + "\n"
        clone.run("hash-object", "-t", "commit", "-w", "--stdin", stdin=alone.encode())

    assert clone.is_ancestor(program, tip)
    clone.export(program, tmp_path / "out")
    assert (tmp_path / "out/stacks/deep.py").read_bytes() == b"x"
    assert clone.read(tip, "stacks/deep.py") == b"x"


def test_a_branch_that_always_moves_is_stale_in_the_end(
    remote: Remote, clone: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PATIENCE, "0.3")
    moves = itertools.count()

    def change(_tip: str) -> dict[str, bytes | None]:
        remote.commit({"n": b"%d" % next(moves)})
        return {"ours": b"1"}

    with pytest.raises(Stale, match=r"asked \d+ times in \d s"):
        clone.commit("main", "Ours", change)
    assert clone.read(clone.fetch(), "ours") is None


def test_a_push_whose_answer_was_lost_is_found_and_not_made_twice(remote: Remote, clone: Git) -> None:
    # The branch is written, then the connection breaks before the client hears of it.
    remote.hook("post-update", "kill -9 $PPID")
    commit = clone.commit("main", "Once", lambda _tip: {"once": b"1"})

    assert remote.tip() == commit
    assert git(remote.bare, "rev-list", "--count", "main") == "2"


def test_a_push_that_a_hook_refuses_is_told_with_the_hooks_words_and_not_tried_again(
    remote: Remote, clone: Git, tmp_path: Path
) -> None:
    remote.hook("pre-receive", f"echo asked >> {tmp_path / 'asked'}; echo 'main is protected by a ruleset' >&2; exit 1")

    with pytest.raises(RemoteDenied, match="main is protected by a ruleset"):
        clone.commit("main", "No", lambda _tip: {"a": b""})
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_a_clone_without_a_user_commits_as_the_controller_and_one_with_a_user_as_that(clone: Git) -> None:
    first = clone.commit("main", "A", lambda _tip: {"a": b""})
    git(clone.root, "config", "user.name", "Cy")
    git(clone.root, "config", "user.email", "cy@example.com")
    second = clone.commit("main", "B", lambda _tip: {"b": b""})

    assert clone.why(first, "a")[0] == "releasectl"
    assert clone.why(second, "b")[0] == "Cy"


# ---- remotes that are not there ----


def test_a_clone_without_a_remote_is_told_how_to_add_one(clone: Git) -> None:
    git(clone.root, "remote", "remove", "origin")

    with pytest.raises(MissingRemote) as caught:
        clone.fetch()
    assert "it has no remote `origin`" in caught.value.message
    assert caught.value.remedy == "Add it: git remote add origin URL"


def test_a_remote_that_is_gone_is_named(remote: Remote, clone: Git) -> None:
    remote.bare.rename(remote.folder / "moved.git")

    with pytest.raises(MissingRemote, match=r"remote\.git"):
        clone.fetch()
    with pytest.raises(MissingRemote):
        clone.commit("main", "A", lambda _tip: {"a": b""})


def test_a_token_in_the_remotes_address_is_never_told(clone: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE, "0.1")
    git(clone.root, "remote", "set-url", "origin", "http://bo:hunter2@127.0.0.1:1/x.git")

    with pytest.raises(RemoteUnreachable) as caught:
        clone.fetch()
    assert "127.0.0.1:1/x.git" in caught.value.message
    assert "hunter2" not in caught.value.message + caught.value.remedy


def test_a_git_that_is_not_installed_is_said_so(clone: Git) -> None:
    with pytest.raises(GitFailed, match="not on PATH"):
        Git(clone.root, {"PATH": "/nowhere"}).fetch()


# ---- main was rewritten ----


def test_a_rewritten_main_is_followed_and_what_it_lost_is_known_as_long_as_somebody_has_it(
    remote: Remote, clone: Git
) -> None:
    base, lost = remote.tip(), remote.commit({PATH: b"lost\n"}, subject="Lost")
    assert clone.fetch() == lost
    git(remote.folder / "bo", "reset", "--quiet", "--hard", base)
    new = git(remote.folder / "bo", "commit-tree", "-p", base, "-m", "New", f"{base}^{{tree}}")
    git(remote.folder / "bo", "push", "--quiet", "--force", "origin", f"{new}:main")
    git(remote.bare, "gc", "--quiet", "--prune=now")
    fresh = remote.clone("fresh")

    assert clone.fetch() == fresh.fetch() == new
    assert not clone.is_ancestor(lost, new)
    assert [each.subject for each in clone.commits(new, lost)] == ["Lost"]
    for ask in (lambda: fresh.is_ancestor(lost, new), lambda: fresh.commits(lost, new), lambda: fresh.read(lost, PATH)):
        with pytest.raises(UnknownCommit, match=lost):
            ask()


# ---- around us ----


def test_the_variables_of_a_hook_do_not_lead_us_to_another_repository(remote: Remote, tmp_path: Path) -> None:
    clone = remote.clone("clone")
    git(tmp_path, "init", "--quiet", "other")
    # As `git commit` of the other repository would run us, from one of its hooks.
    environment = os.environ | {
        "GIT_DIR": str(tmp_path / "other/.git"),
        "GIT_WORK_TREE": str(tmp_path / "other"),
        "GIT_INDEX_FILE": str(tmp_path / "other/.git/index"),
        "GIT_PREFIX": "x/",
    }
    script = "from releasectl.edges.git import Git; from pathlib import Path; print(Git.find(Path.cwd()).fetch())"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=clone.root, env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == remote.tip()


def test_words_of_git_are_understood_in_any_language(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de")
    remote.hook("pre-receive", "exit 1")
    clone = remote.clone("clone")

    with pytest.raises(RemoteDenied):
        clone.commit("main", "No", lambda _tip: {"a": b""})


def test_a_jobs_token_goes_to_its_own_server_alone_and_into_no_file(remote: Remote) -> None:
    job = {"GITHUB_ACTIONS": "true", "GITHUB_TOKEN": "ghs_secret", "GITHUB_SERVER_URL": "https://github.example"}
    clone = remote.clone("clone")
    process = GitProcess(clone.root, scrubbed(os.environ | job))

    def header(url: str, process: GitProcess = process) -> str:
        return process.call("config", "--get-urlmatch", "http.extraheader", url).stdout.decode().strip()

    assert header("https://github.example/o/r") == "AUTHORIZATION: basic eC1hY2Nlc3MtdG9rZW46Z2hzX3NlY3JldA=="
    assert header("https://elsewhere.example/o/r") == ""
    assert header("https://github.example/o/r", GitProcess(clone.root, scrubbed(os.environ))) == ""
    assert "secret" not in (clone.root / ".git" / "config").read_text()
