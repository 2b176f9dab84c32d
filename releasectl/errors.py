"""One flat family of errors, and the finding.

An exception means "could not find out" or "could not do"; a refusal or a failed proof is a value. Each class
says by attributes, never by its place in a tree, when to try again and which exit code ends the command.
Comes in: what was being done, where, the cause. Goes out: one sentence and a remedy that starts with a verb.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum

from releasectl.plain_text import plain


class Retry(StrEnum):
    """When it makes sense to try again."""

    NEVER = "never"  # the same call will end the same way
    AFTER_CHANGE = "after-change"  # a file has to change first
    AT_ONCE = "at-once"  # the world moved; look again
    BACKOFF = "backoff"  # machinery; wait a little longer each time


@dataclass(frozen=True)
class Finding:
    """What one rule says about one place: `where` is a file with line and key, or an ARN."""

    rule: str
    where: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return plain(f"{self.where}: {self.message}\n    {self.remedy}")


class ControllerError(Exception):
    """`message` says what was being done, where, and last the cause; `remedy` starts with a verb."""

    exit_code = 3
    retry = Retry.NEVER

    def __init__(self, message: str, remedy: str) -> None:
        self.message = plain(message)  # causes are words of others
        super().__init__(self.message)
        self.remedy = remedy

    def as_json(self) -> dict[str, object]:
        """{"error": class name, "message", "remedy"}: the shape that `--json` prints."""
        return {"error": type(self).__name__, "message": self.message, "remedy": self.remedy}


class Stale(ControllerError):
    """Others wrote to the branch each time we tried to: the world moved, nothing was written."""

    retry = Retry.AT_ONCE


class UnknownCommit(ControllerError):
    """A commit that should be on main is not to be found: it never was, or main was rewritten."""

    exit_code = 2
    retry = Retry.AFTER_CHANGE


class Interrupted(ControllerError):
    """A person or a runner stopped us by a signal; what was done is on record."""

    exit_code = 130
    retry = Retry.BACKOFF


class InvalidFile(ControllerError):
    """A file breaks its format. `findings` holds everything that is wrong with it, not only the first."""

    exit_code = 2
    retry = Retry.AFTER_CHANGE

    def __init__(self, path: str, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        lines = "\n".join(f"  {finding}" for finding in self.findings)
        count = "1 finding" if len(self.findings) == 1 else f"{len(self.findings)} findings"
        super().__init__(f"reading {path}: {count}\n{lines}", f"Mend {path} and run `releasectl check`.")

    def as_json(self) -> dict[str, object]:
        """The common shape plus `findings`, each with rule, where, message, remedy."""
        return super().as_json() | {"findings": [asdict(finding) for finding in self.findings]}
