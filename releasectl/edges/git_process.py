"""Git as a process: one command of a clone, from an argument list, with a timeout and nobody's variables.

Comes in: arguments, and bytes for its standard input. Goes out: its standard output, or one error with git's own
words. Nobody is asked for a password, and what git says is English: edges/git_remote.py knows it by its words.
"""

import base64
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from releasectl.errors import ControllerError, Retry

TIMEOUT = 120.0  # seconds for one git command that asks nobody outside
# A hook or a rebase sets others, which would point git at another repository.
_KEPT = frozenset(
    (
        *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_ASKPASS", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"),
        *("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_EXEC_PATH"),
    )
)


class GitFailed(ControllerError):
    """A git command ended badly for a reason that has no name of its own here.

    Why: git is not installed, the clone is damaged, its disk is full, or the remote says something that we do not
    know.
    Do: Run the git command of the message by hand, mend what it says, then run the same command again.
    """

    retry = Retry.BACKOFF


def scrubbed(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables for git."""
    clean = {name: value for name, value in environment.items() if not name.startswith("GIT_") or name in _KEPT}
    return clean | _as_job(environment) | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _as_job(environment: Mapping[str, str]) -> dict[str, str]:
    """In a job of GitHub Actions its token, for that server alone: in no file, and on no command line.

    So a checkout need not leave the token in the clone's configuration, where every later step could read it.
    """
    token, server = environment.get("GITHUB_TOKEN", ""), environment.get("GITHUB_SERVER_URL", "")
    if environment.get("GITHUB_ACTIONS") != "true" or not token or not server.startswith("https://"):
        return {}
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{server.rstrip('/')}/.extraheader",
        "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {basic}",
    }


@dataclass(frozen=True)
class GitProcess:
    """Commands of one clone."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=lambda: scrubbed(os.environ))

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> bytes:
        """Standard output of one git command. Raises GitFailed."""
        done = self.call(*arguments, stdin=stdin, environment=environment, timeout=timeout)
        if done.returncode:
            cause = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
            raise GitFailed(f"running `git {arguments[0]}`: {cause}", "Run the command by hand to see more.")
        return done.stdout

    def call(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> subprocess.CompletedProcess[bytes]:
        """One git command, however it ends. Raises GitFailed when it does not, or when there is no git."""
        try:
            return subprocess.run(
                ["git", "-C", str(self.root), *arguments], input=stdin, capture_output=True,
                env={**self.environment, **(environment or {})}, timeout=timeout, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise GitFailed(
                f"running `git {arguments[0]}`: no answer within {timeout:.0f} s", "Run the same command again."
            ) from error
        except FileNotFoundError as error:
            raise GitFailed("running git: it is not on PATH", "Install git.") from error

    def tells(self, *arguments: str) -> bool:
        """Does the command end well? For questions that git answers by its exit code."""
        return self.call(*arguments).returncode == 0
