"""A pull request is previewed where it is reviewed: with the real engine, and whatever its author tries."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from releasectl.edges.step_output import outputs
from sandbox.github.desk import Desk
from sandbox.github.door import opened
from sandbox.github.github import Github
from sandbox.github.repository import Repository
from sandbox.remote import git
from tests.e2e.conftest import DIGEST, Said, Story, told

PATH = "releases/staging.yaml"
MARKER = "<!-- releasectl preview staging -->"
Change = Callable[[Path], object]


@dataclass(frozen=True)
class Desks:
    """The sandbox, GitHub in front of its remote, and a clone of whoever proposes something."""

    story: Story
    github: Github
    desk: Desk
    theirs: Path
    files: Path  # where a job is told its outputs and its summary

    def review(self, number: int, *more: str, **variables: str) -> Said:
        return self.story.releasectl("review", str(number), *more, **variables)

    def propose(self, branch: str, change: Change, *, onto: str = "origin/main") -> int:
        """Mallory, who may push here, opens a pull request."""
        self.push(branch, change, onto=onto)
        return self.desk.pull("mallory", branch)

    def push(self, branch: str, change: Change, *, onto: str = "origin/main") -> str:
        git(self.theirs, "fetch", "--quiet", "origin")
        git(self.theirs, "checkout", "--quiet", "--force", "-B", "proposal", onto)
        change(self.theirs)
        git(self.theirs, "add", "--all")
        git(self.theirs, "commit", "--quiet", "--allow-empty", "--message", "@everyone <b>look</b>")
        git(self.theirs, "push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return git(self.theirs, "rev-parse", "HEAD")

    def comments(self, number: int) -> list[Any]:
        return [one for one in self.github.state.comments.values() if one.number == number]

    def checks(self, commit: str) -> dict[str, Any]:
        found = self.github.state.checks.values()
        return {one.name: one.given["conclusion"] for one in found if one.commit == commit}

    def output(self, name: str) -> str:
        lines = (self.files / "output").read_text().splitlines()
        return lines[max(at for at, line in enumerate(lines) if line.startswith(f"{name}<<")) + 1]


@pytest.fixture(scope="module")
def place(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desks]:
    story.release_new("1.0.0")
    folder = tmp_path_factory.mktemp("github")
    theirs = folder / "theirs"
    subprocess.run(["git", "clone", "--quiet", str(story.sandbox.remote), str(theirs)], check=True)
    git(theirs, "config", "user.name", "Mallory")
    git(theirs, "config", "user.email", "mallory@example.com")
    github = Github(Repository(story.sandbox.remote))
    with opened(github) as url:
        variables = {
            "RELEASECTL_PATIENCE": "3", "GITHUB_TOKEN": github.token(), "GITHUB_API_URL": url,
            "GITHUB_SERVER_URL": github.server, "GITHUB_REPOSITORY": github.name,
            "GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        }  # fmt: skip
        here = replace(story.sandbox, variables={**story.sandbox.variables, **variables})
        yield Desks(Story(here), github, Desk(github), theirs, folder)


def edit(old: str, new: str, path: str = PATH) -> Change:
    def change(root: Path) -> None:
        text = (root / path).read_text()
        assert old in text
        (root / path).write_text(text.replace(old, new, 1))

    return change


def restarted(time: str, more: str = "") -> Change:
    return edit('restart: ""', f'restart: "2026-11-26T{time}:00Z"{more}')


def judged(said: Said, error: str) -> None:
    """The verdict is a no, for this error."""
    assert said.code == 1, said.err
    assert [one["error"] for one in said.json] == [error]
    assert "Traceback" not in said.err


def canary(root: Path) -> None:
    """A program that says, wherever it runs, that it ran, and with what."""
    program = root / "stacks" / "__main__.py"
    program.write_text(
        f"import os, pathlib\npathlib.Path({str(root.parent / 'stolen')!r}).write_text(repr(dict(os.environ)))\n"
        + program.read_text()
    )


def test_a_change_of_data_is_previewed_in_one_comment_that_is_edited_in_place(place: Desks) -> None:
    number = place.propose("restart", restarted("10:00"))
    first = place.review(number)
    once = place.comments(number)
    head = place.push("restart", restarted("11:00"))
    second = place.review(number, "--json")

    assert first.code == 0, first.err
    assert [one.body.splitlines()[0] for one in once] == [MARKER]
    assert "<code>staging</code>" in once[0].body
    assert (second.code, second.json[0]["verdict"]) == (0, "success"), second.err
    (comment,) = place.comments(number)
    assert comment.id == once[0].id
    assert head[:12] in comment.body
    assert place.checks(head) == {"preview staging": "success"}
    assert "<code>staging</code>" in (place.files / "summary").read_text()


def test_a_head_that_is_no_longer_about_an_environment_takes_its_comment_back(place: Desks) -> None:
    number = place.propose("both", restarted("10:00"))
    assert place.review(number).code == 0
    place.push("both", edit('program: ""', f'program: "{place.story.head}"', "releases/production.yaml"))

    said = place.review(number)

    assert "production" in said.out
    (old,) = (one for one in place.comments(number) if one.body.startswith(MARKER))
    assert "no longer changes it" in old.body


@pytest.mark.parametrize(
    ("name", "smuggle"),
    [
        ("with data", lambda root: [change(root) for change in (canary, restarted("10:00"))]),
        ("a workflow", lambda root: (root / "releases" / "x.yml").write_text("on: push\n")),
        ("beside the releases", lambda root: (root / "releases" / "__init__.py").write_text("1/0\n")),
        ("a rename", lambda root: (root / "stacks" / "own.py").rename(root / "releases" / "other.yaml")),
        ("the lock", edit("version = 1", "version = 1\n", "uv.lock")),
    ],
)  # fmt: skip
def test_a_program_change_smuggled_with_data_gets_no_preview_and_runs_nowhere(
    place: Desks, name: str, smuggle: Change
) -> None:
    number = place.propose(f"smuggle-{name.replace(' ', '-')}", smuggle)

    looked = place.review(number, "--look", "--json")
    said = place.review(number, "--environment", "staging", "--json")

    assert (looked.code, looked.json["kind"]) == (0, "code")
    assert place.output("kind") == "code"
    judged(said, "NotPreviewed")
    assert not (place.theirs.parent / "stolen").exists()
    (comment,) = place.comments(number)
    assert "not previewed" in comment.body
    assert "it changes code" in comment.body


def test_an_approved_program_is_previewed_at_the_head_that_was_approved_and_no_other(place: Desks) -> None:
    number = place.propose("program", edit('"""', '"""Reviewed. ', "stacks/__main__.py"))
    head = git(place.theirs, "rev-parse", "HEAD")

    said = place.review(number, "--approved", "--head", head, "--environment", "staging")
    place.push("program", canary)
    later = place.review(number, "--approved", "--head", head, "--json")

    assert said.code == 0, said.err
    assert place.checks(head)["preview staging"] == "success"
    told(later, "HeadMoved", 1)
    assert not (place.theirs.parent / "stolen").exists()


def test_an_approved_program_gets_nothing_that_belongs_to_the_job(place: Desks) -> None:
    number = place.propose("curious", canary)
    head = git(place.theirs, "rev-parse", "HEAD")

    said = place.review(
        number, "--approved", "--head", head, "--environment", "staging",
        ACTIONS_ID_TOKEN_REQUEST_TOKEN="a-way-to-roles", GITHUB_ENV="/nowhere",
    )  # fmt: skip

    seen = place.theirs.parent / "stolen"
    assert said.code == 0, said.err
    assert "PULUMI" in seen.read_text(), "it ran"
    assert not any(word in seen.read_text() for word in ("GITHUB_", "ACTIONS_", "a-way-to-roles"))
    seen.unlink()


def test_without_a_head_nothing_was_approved(place: Desks) -> None:
    said = place.review(1, "--approved")

    assert said.code == 2
    assert "what was approved is one commit" in said.err


@pytest.mark.parametrize(
    ("name", "trick", "words"),
    [
        ("link", lambda root: ((root / PATH).unlink(), (root / PATH).symlink_to("/etc/passwd")), "no plain file"),
        ("huge", lambda root: (root / PATH).write_bytes(b"#" * (2 << 20)), "bytes are more than"),
        ("big", lambda root: (root / PATH).write_bytes(b"#" * (70 << 10)), "more than the 65536"),
        ("object", edit("schema: 1", "schema: !!python/object/apply:os.system ['touch stolen']"), "finding"),
        ("aliases", edit("schema: 1", "a: &a [1,1]\nb: &b [*a,*a,*a]\nschema: 1"), "finding"),
        ("documents", edit("schema: 1", "schema: 1\n---\nschema: 1"), "finding"),
        ("bytes", lambda root: (root / PATH).write_bytes(b"\xff\xfe" + (root / PATH).read_bytes()), "finding"),
        ("tag", edit("digest: ", 'digest: "latest" # '), "finding"),
        ("no image", edit("digest: ", f'digest: "{DIGEST}" # '), "no image sha256:"),
        ("gone", lambda root: (root / PATH).unlink(), "it is not there"),
        ("backend", edit('backend: ""', 'backend: "s3://theirs?endpoint=mallory.example"', "Pulumi.staging.yaml"),
         "another place of state or"),
        ("secrets", edit("config:", "secretsprovider: awskms://alias/theirs\nconfig:", "Pulumi.staging.yaml"),
         "another place of state or"),
    ],
)  # fmt: skip
def test_a_trick_with_data_is_a_no_in_plain_words(place: Desks, name: str, trick: Change, words: str) -> None:
    number = place.propose(f"trick-{name.replace(' ', '-')}", trick)

    said = place.review(number)

    assert (said.code, "Traceback" in said.err) == (1, False), said.err
    (comment,) = place.comments(number)
    assert words in comment.body.replace("&#58;", ":")
    assert place.checks(git(place.theirs, "rev-parse", "HEAD")) == {"preview staging": "failure"}
    assert not (place.story.sandbox.clone / "stolen").exists()


def test_a_program_that_is_not_on_main_is_not_run(place: Desks) -> None:
    evil = place.push("evil", canary)
    pinned = git(place.story.sandbox.remote, "show", f"main:{PATH}").split("program: ")[1].split()[0].strip('"')
    number = place.propose("pins-it", edit(pinned, evil))

    said = place.review(number)

    assert said.code == 1
    assert "is not on main" in place.comments(number)[0].body
    assert not (place.theirs.parent / "stolen").exists()


def test_words_of_a_pull_request_are_only_words(place: Desks) -> None:
    hostile = "</code><img src=x onerror=alert(1)> ![](https://mallory.example/p.png) @everyone #1 `$(touch stolen)`"
    number = place.propose("words", edit("variables: {}", f"variables: {{NOTE: '{hostile}'}}", "Pulumi.staging.yaml"))

    said = place.review(number)

    assert said.code == 0, said.err
    (comment,) = place.comments(number)
    assert "mallory.example" in comment.body, "it is shown"
    assert not any(mark in comment.body for mark in ("<img", "![", "@everyone", "`$(", "](https"))
    assert not (place.story.sandbox.clone / "stolen").exists()


def test_a_planted_marker_and_a_namesake_are_left_alone(place: Desks) -> None:
    number = place.propose("planted", restarted("12:00"))
    planted = place.desk.comment("mallory", number, f"{MARKER}\nAll is well, merge it")
    namesake = place.desk.comment("github-actions", number, f"{MARKER}\nSo it is")

    assert place.review(number).code == 0
    assert place.review(number).code == 0

    bodies = {one.id: one.body for one in place.comments(number)}
    assert bodies[planted] == f"{MARKER}\nAll is well, merge it"
    assert bodies[namesake] == f"{MARKER}\nSo it is"
    assert len(bodies) == 3


def test_a_forks_data_is_previewed_by_whoever_may_and_its_code_never(place: Desks) -> None:
    release = git(place.story.sandbox.remote, "show", f"main:{PATH}") + "\n"
    data = place.desk.fork_pull(
        "stranger", "x", {PATH: release.replace('restart: ""', 'restart: "2026-11-26T09:00:00Z"')}
    )
    code = place.desk.fork_pull("stranger", "y", {"stacks/own.py": "1/0\n"})
    head = place.github.repository.ref(f"refs/pull/{code}/head")

    assert place.review(data, "--look", "--json").json["kind"] == "data"
    assert place.review(data).code == 0
    assert place.review(code, "--look", "--json").json["kind"] == "none"
    refused = place.review(code, "--approved", "--head", head, "--environment", "staging")
    assert refused.code == 1
    assert "it comes from a fork" in place.comments(code)[0].body


def test_what_main_changed_since_is_asked_to_be_taken_in(place: Desks) -> None:
    number = place.propose("late", restarted("13:00"))
    place.story.commit({"docs/news.md": b"unrelated\n"})
    assert place.review(number).code == 0
    before = place.story.read(PATH)
    place.story.commit({PATH: before + b"# touched\n"})

    said = place.review(number, "--json")
    place.story.commit({PATH: before})

    judged(said, "OutOfDate")
    assert "Update the branch with main" in place.comments(number)[0].body


def test_a_token_that_may_only_read_still_gives_a_verdict_and_a_summary(place: Desks) -> None:
    number = place.propose("read-only", restarted("14:00"))
    token = place.github.token(permissions={"contents": "read", "pull_requests": "read", "checks": "read"})
    (place.files / "summary").write_text("")

    said = place.review(number, GITHUB_TOKEN=token)

    assert said.code == 0, said.err
    assert place.comments(number) == []
    assert "<code>staging</code>" in (place.files / "summary").read_text()


def test_a_closed_one_and_one_for_another_branch_are_told_so(place: Desks) -> None:
    closed = place.propose("closed", restarted("15:00"))
    place.github.state.pulls[closed].state = "closed"
    place.github.state.pulls[closed].last_head = place.github.repository.ref("refs/heads/closed")
    place.github.state.pulls[closed].last_base = place.github.repository.ref("refs/heads/main")
    git(place.theirs, "push", "--quiet", "origin", "origin/main:refs/heads/develop")
    elsewhere = place.desk.pull("mallory", "closed", base="develop")

    for number, why in ((closed, "it is closed"), (elsewhere, "only main is released")):
        looked = place.review(number, "--look", "--json").json
        assert looked["kind"] == "none"
        assert why in looked["reason"]


def test_an_output_of_many_lines_is_one_output(tmp_path: Path) -> None:
    outputs({"GITHUB_OUTPUT": str(tmp_path / "output")}, first="a\nkind<<x\ncode\nx", second="b")
    outputs({}, first="nowhere")

    lines = (tmp_path / "output").read_text().splitlines()
    end = lines[0].removeprefix("first<<")
    assert lines[1:5] == ["a", "kind<<x", "code", "x"]
    assert lines[5] == end
