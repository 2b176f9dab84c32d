"""Review: what a pull request would do to each environment, without a line of its own code being run.

Comes in: the number of a pull request, the forge, main. Goes out: whether it may be previewed with credentials, and
then a Target for each environment: main's files with the pull request's data over them, read through the forge's API
at one commit of its head. Nothing of it is checked out, no link is followed, and its program is one on main. Only
`approved` looks at a program of its own, once somebody who may approve it did.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from releasectl import document, target
from releasectl.changes import Changes, changes
from releasectl.errors import ControllerError, InvalidFile, Retry
from releasectl.forge import ChangedFile, Forge, Pull
from releasectl.target import MissingFile, Reader, Target, settings_path
from releasectl.world import Desired

# Where state and secrets are: with other words there, a preview would show another stack's truth, or ask a stranger.
_BACKEND = "release-controller:backend"
_SECRETS = ("secretsprovider", "encryptedkey", "encryptionsalt")


class NotPreviewed(ControllerError):
    """A pull request that is not previewed with credentials.

    Why: It changes code, or where state and secrets are kept; it comes from a fork and changes code; or it is closed.
    Do: Put the change of code into a pull request of its own and merge that first; a reviewer may also approve a
    preview of it.
    """

    exit_code = 1
    retry = Retry.AFTER_CHANGE


class OutOfDate(ControllerError):
    """Main changed a file that the pull request changes, too.

    Why: What would be merged is neither of the two, so a preview of either would be of something else.
    Do: Update the branch of the pull request with main.
    """

    exit_code = 1
    retry = Retry.AFTER_CHANGE


class HeadMoved(ControllerError):
    """The pull request has a newer head than the one that was asked about.

    Why: Somebody pushed to it meanwhile; the newer head has a preview of its own.
    Do: Look at the newer one's preview.
    """

    exit_code = 1
    retry = Retry.AFTER_CHANGE


@dataclass(frozen=True)
class Proposed:
    """Main's files at `main` with a pull request's own over them; None is a file that it takes away."""

    main: Reader
    tip: str
    files: Mapping[str, bytes | None]

    def read(self, _commit: str, path: str) -> bytes | None:
        """None when it is not there."""
        return self.files[path] if path in self.files else self.main.read(self.tip, path)


@dataclass(frozen=True)
class Review:
    """A pull request and main's tip, looked at together. `reason` says why it is not previewed, "" when it is."""

    pull: Pull
    tip: str
    changes: Changes
    known: tuple[str, ...] = ()  # main's environments, in the order of the pipeline
    environments: tuple[str, ...] = ()  # those of them that it is about
    reason: str = ""


def look(number: int, forge: Forge, desired: Desired) -> Review:
    """What kind of pull request it is. Raises ControllerError where the forge does not list all of its files."""
    pull, tip = forge.pulls.get(number), desired.fetch()
    changed = changes(_paths(forge.pulls.files(number)))
    known = tuple(each.name for each in target.read_pipeline(desired, tip).environments)
    seen = Review(pull, tip, changed, known, changed.about(known))
    if not pull.is_open:
        return replace(seen, reason="it is closed")
    if pull.base != "main":
        return replace(seen, reason=f"it is for {pull.base}, and only main is released")
    if changed.code:
        first, more = changed.code[0], len(changed.code) - 1
        reason = f"it changes code: {first}{f' and {more} more' if more else ''}"
        return replace(seen, reason=reason, environments=known)  # a program is any environment's
    return seen if seen.environments else replace(seen, reason="it is about no environment of main")


def data(seen: Review, environment: str, forge: Forge, desired: Desired) -> Target:
    """What main would say of the environment with the pull request's data. Raises NotPreviewed, OutOfDate.

    What state and secrets need is main's: a pull request that changes it is judged like code.
    """
    if seen.reason:
        raise NotPreviewed(f"previewing pull request {seen.pull.number}: {seen.reason}", _SPLIT)
    wanted = _target(seen, environment, forge, desired)
    moved = _places(wanted) != _places(_on_main(environment, seen.tip, desired))
    if moved:
        raise NotPreviewed(
            f"previewing pull request {seen.pull.number}: {settings_path(environment)} says another place of state or "
            "secrets than main's",
            "Review that change by itself: it is not previewed with credentials.",
        )
    return wanted


def approved(seen: Review, environment: str, forge: Forge, desired: Desired) -> Target:
    """The same with the pull request's own program, which somebody approved at this head; never a fork's."""
    pull = seen.pull
    if pull.is_foreign or not pull.is_open or pull.base != "main":
        why = "it comes from a fork" if pull.is_foreign else seen.reason
        raise NotPreviewed(f"previewing the program of pull request {pull.number}: {why}", _BRANCH)
    wanted = _target(seen, environment, forge, desired)
    return replace(wanted, release=replace(wanted.release, program=pull.commit))


def require_head(seen: Review, head: str) -> None:
    """Raises HeadMoved when it is not what was asked about; "" asks about none."""
    if head and seen.pull.commit != head:
        raise HeadMoved(
            f"previewing pull request {seen.pull.number} at {head[:12]}: its head is {seen.pull.commit[:12]} now",
            "Look at the preview of the newer one.",
        )


def _target(seen: Review, environment: str, forge: Forge, desired: Desired) -> Target:
    head, base = seen.pull.commit, forge.branches.compare(seen.tip, seen.pull.commit).base
    files: dict[str, bytes | None] = {}
    for path in seen.changes.data:
        if desired.read(seen.tip, path) != desired.read(base, path):
            raise OutOfDate(
                f"previewing pull request {seen.pull.number}: main changed {path} since the branch left it",
                "Update the branch with main.",
            )
        files[path] = forge.branches.read(head, path)
    return target.read_target(Proposed(desired, seen.tip, files), "", environment)


def _on_main(environment: str, tip: str, desired: Desired) -> Target | None:
    try:
        return target.read_target(desired, tip, environment)
    except (InvalidFile, MissingFile):  # what the pull request may be there to mend
        return None


def _places(wanted: Target | None) -> object:
    if wanted is None:
        return None
    path = settings_path(wanted.environment)
    data = document.load(path, wanted.files[path], every_scalar_is_text=False).data
    return wanted.settings.get(_BACKEND, ""), [data.get(key, "") for key in _SECRETS]


def _paths(files: Iterable[ChangedFile]) -> Iterable[str]:
    return (path for one in files for path in (one.path, one.before) if path)


_SPLIT = "Put the change of code into a pull request of its own, and merge that first."
_BRANCH = "Push the branch to this repository and open a pull request from there."
