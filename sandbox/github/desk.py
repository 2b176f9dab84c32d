"""The desk of the sandbox's GitHub: what people, forks and other Apps do, and the weather, by words.

Comes in: a word and its arguments, from a test or over HTTP at /_sandbox/. Goes out: what came of it. Nothing of the
controller's knows it.
"""

from dataclasses import asdict, dataclass
from typing import Any

from sandbox.github import apps
from sandbox.github.apps import App
from sandbox.github.faults import Fault, Kind
from sandbox.github.github import Github
from sandbox.github.state import CheckRun, Comment, Issue, Protection, Pull, now


@dataclass(frozen=True)
class Desk:
    """One word, one method."""

    github: Github

    def order(self, kind: str, **more: Any) -> None:
        """Bad weather for the next requests of a kind."""
        self.github.faults.append(Fault(Kind(kind), **more))

    def calm(self) -> None:
        """No more bad weather."""
        self.github.faults.clear()

    def token(self, **more: Any) -> str:
        """A token; see Github.token."""
        return self.github.token(**more)

    def install(self, app: str, slug: str, public_key: str, permissions: dict[str, str] | None = None) -> None:
        """An App is installed in the repository."""
        self.github.apps[app] = App(app, slug, public_key, permissions=permissions)

    def protect(self, branch: str, checks: list[str] | None = None, *, only_by_pull: bool = False) -> None:
        """A branch is protected."""
        self.github.state.protections[branch] = Protection(tuple(checks or ()), only_by_pull)

    def comment(self, login: str, number: int, body: str) -> int:
        """Somebody comments."""
        state, time = self.github.state, now()
        made = Comment(state.next_id(), number, body, apps.person(login), time, time)
        state.comments[made.id] = made
        return made.id

    def issue(self, login: str, title: str, body: str) -> int:
        """Somebody opens an issue."""
        state, time = self.github.state, now()
        made = Issue(state.next_number(), state.next_id(), title, body, apps.person(login), time, time)
        state.issues[made.number] = made
        return made.number

    def check(self, commit: str, name: str, conclusion: str = "success", slug: str = "github-actions") -> int:
        """An App writes a check run."""
        state = self.github.state
        made = CheckRun(state.next_id(), commit, name, slug, now(), {"status": "completed", "conclusion": conclusion})
        state.checks[made.id] = made
        return made.id

    def rival(self, branch: str = "main", files: dict[str, str] | None = None) -> str:
        """Somebody commits to a branch."""
        return self.github.rival(branch, {path: text.encode() for path, text in (files or {}).items()})

    def pull(self, login: str, branch: str, *, base: str = "main", title: str = "A change") -> int:
        """Somebody opens a pull request from a branch of this repository."""
        state = self.github.state
        number = state.next_number()
        state.pulls[number] = Pull(number, state.next_id(), title, "", branch, base, apps.person(login), now())
        return number

    def fork_pull(
        self, login: str, head: str, files: dict[str, str], *, base: str = "main", title: str = "A fork's"
    ) -> int:
        """Somebody opens a pull request from a fork."""
        github, state = self.github, self.github.state
        tip = github.repository.ref(f"refs/heads/{base}")
        tree = github.repository.write_tree(tip, {path: text.encode() for path, text in files.items()})
        made = github.repository.write_commit(tree, (tip,), title, (login, f"{login}@example.com"))
        number, fork = state.next_number(), f"{login}/{github.name.partition('/')[2]}"
        github.repository.set_ref(f"refs/pull/{number}/head", made, "")
        state.pulls[number] = Pull(
            number, state.next_id(), title, "", head, base, apps.person(login), now(), fork=fork
        )  # fmt: skip
        return number

    def finish(self, run: int, conclusion: str = "success") -> None:
        """A run ends."""
        found = self.github.state.runs[run]
        found.status, found.conclusion, found.updated = "completed", conclusion, now()

    def events(self) -> list[dict[str, Any]]:
        """Everything that happened."""
        return [asdict(one) for one in self.github.events]
