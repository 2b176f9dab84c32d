"""Git in memory, as far as it says what should run."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from releasectl import release_notes
from releasectl.errors import ControllerError, Stale, UnknownCommit
from releasectl.missed import Landed
from tests.twins.project import ACTION, START


@dataclass(frozen=True)
class Commit:
    """A commit of the twin's history; `files` is the whole tree."""

    id: str
    parent: str
    files: Mapping[str, bytes]
    by: str
    message: str
    at: datetime = START

    @property
    def subject(self) -> str:
        """The first line."""
        return self.message.partition("\n")[0]

    @property
    def action(self) -> str:
        """The trailer Release-Action: a line of the last paragraph, which is not the first."""
        paragraphs = self.message.strip().split("\n\n")
        lines = paragraphs[-1].splitlines() if len(paragraphs) > 1 else []
        return next((line[len(ACTION) :].strip() for line in lines if line.startswith(ACTION)), "")


@dataclass
class Desired:
    """Git, as far as it says what should run."""

    made: dict[str, Commit] = field(default_factory=dict)
    tips: dict[str, str] = field(default_factory=dict)
    faults: list[ControllerError] = field(default_factory=list)
    now: Callable[[], datetime] = lambda: START
    before_next_push: Callable[[], object] | None = None

    def merge(
        self, files: Mapping[str, bytes | None], *, branch: str = "main", by: str = "Ann", subject: str = "A"
    ) -> str:
        """What somebody else does: a commit on the remote's branch, which begins at main."""
        return self._write(branch, self.tips.get(branch) or self.tips.get("main", ""), files, (by, subject))

    def commit(
        self,
        branch: str,
        message: str | Callable[[], str],
        change: Callable[[str], Mapping[str, bytes | None]],
        *,
        start: str = "",
        attempts: int = 12,
    ) -> str:
        for _ in range(attempts):
            tip = self.fetch(branch)
            parent = tip or start
            files = change(parent)
            if not files:
                return parent
            words = message if isinstance(message, str) else message()
            if self.before_next_push:
                other, self.before_next_push = self.before_next_push, None
                other()
            if self.tips.get(branch, "") == tip:
                return self._write(branch, parent, files, ("releasectl", words))
        raise Stale(f"committing to {branch}: the branch moved under each of {attempts} attempts", "Run it again.")

    def _write(self, branch: str, parent: str, files: Mapping[str, bytes | None], said: tuple[str, str]) -> str:
        tree = {**(self.made[parent].files if parent else {}), **files}
        kept = {path: raw for path, raw in tree.items() if raw is not None}
        identifier = hashlib.sha1(f"{len(self.made)}".encode(), usedforsecurity=False).hexdigest()
        self.made[identifier] = Commit(identifier, parent, kept, *said, self.now())
        self.tips[branch] = identifier
        return identifier

    def fetch(self, branch: str = "main") -> str:
        if self.faults:
            raise self.faults.pop(0)
        return self.tips.get(branch, "")

    def read(self, commit: str, path: str) -> bytes | None:
        return self.made[commit].files.get(path)

    def list(self, commit: str, folder: str) -> tuple[str, ...]:
        paths = sorted(self.made[commit].files)
        return tuple(path for path in paths if folder in (".", path) or path.startswith(f"{folder}/"))

    def is_ancestor(self, older: str, newer: str) -> bool:
        self._known(older)
        return older in [commit.id for commit in self._history(self._known(newer))]

    def commits(self, older: str, newer: str, *paths: str) -> tuple[release_notes.Commit, ...]:
        known = {commit.id for commit in self._history(self._known(older))}
        return tuple(
            release_notes.Commit(each.id, each.by, each.subject)
            for each in self._history(self._known(newer))
            if each.id not in known and self._changes(each, paths)
        )

    def user(self) -> str:
        return "releasectl"

    def export(self, commit: str, folder: Path) -> None:
        for path, raw in self._known(commit).files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(raw)

    def why(self, commit: str, *paths: str) -> tuple[str, str, str]:
        for each in self._history(self._known(commit)):
            if self._changes(each, paths):
                return each.by, each.subject, each.action
        return "", "", ""

    def landed(self, commit: str, *paths: str) -> Landed | None:
        found = (each for each in self._history(self._known(commit)) if self._changes(each, paths))
        return next((Landed(each.id, each.at) for each in found), None)

    def _changes(self, commit: Commit, paths: Iterable[str]) -> bool:
        """Did the commit change one of the files, or a file below one of the folders?"""
        before = self.made[commit.parent].files if commit.parent else {}
        changed = [path for path in {**before, **commit.files} if before.get(path) != commit.files.get(path)]
        return any(path == each or path.startswith(f"{each}/") for path in changed for each in paths)

    def _known(self, commit: str) -> Commit:
        if commit not in self.made:
            raise UnknownCommit(f"looking for commit {commit}: the remote does not have it", "Pin another.")
        return self.made[commit]

    def _history(self, commit: Commit) -> Iterator[Commit]:
        yield commit
        while commit.parent:
            commit = self.made[commit.parent]
            yield commit
