"""The remote of a clone: what it has, what it gives, what it takes, and the ways in which it says no.

Comes in: full names of refs. Goes out: their commits; objects, fetched; a push, made once. Reading is asked again
while the remote is away for a moment; of a push only its caller knows what asking again means. A no is told as one
of: not there, denied, throttled, unreachable, moved.
"""

from dataclasses import dataclass
from typing import NoReturn

from releasectl.edges.again import ForNow, again, patience
from releasectl.edges.git_process import TIMEOUT, GitFailed, GitProcess
from releasectl.errors import ControllerError, Retry, Stale, UnknownCommit

REMOTE = "origin"
_LATER = "Wait a minute, then run the same command again."
_AWAY = f"Check the network and the remote's status page, then try: git ls-remote {REMOTE}"

# What git and the usual hosts say, in the order in which it is looked for: a refusal often ends in a hang-up, too.
_DENIED = (
    *("hook declined", "protected branch", "GH006", "GH013", "Permission", "permission", "Authentication failed"),
    *("could not read Username", "could not read Password", "returned error: 401", "returned error: 403"),
    *("Host key verification failed", "deny updating a hidden ref", "access denied", "Access denied", "not granted"),
)
_NOT_THERE = (
    *("does not appear to be a git repository", "Repository not found", "returned error: 404", "does not exist"),
    *("repository not found", "' not found"),
)
_UNKNOWN = ("not our ref", "unadvertised object", "couldn't find remote ref", "no such remote ref")
_THROTTLED = ("returned error: 429", "rate limit", "Too Many Requests", "too many requests")
_MOVED = (
    *("! [rejected]", "cannot lock ref", "failed to update ref", "atomic transaction failed", "incorrect old value"),
    *("shallow.lock", "shallow file has changed", "reference already exists"),
)
_FINAL = ("returned error: 4",)  # any other; it often ends in a hang-up, too
_UNREACHABLE = (
    "no answer within",  # our own words
    *("Could not resolve", "Failed to connect", "onnection refused", "onnection reset", "timed out", "Timeout"),
    *("early EOF", "hung up unexpectedly", "unexpected disconnect", "RPC failed; curl", "Empty reply from server"),
    *("Operation too slow", "returned error: 5", "Internal Server Error", "SSL_ERROR_SYSCALL", "SSL_read"),
    *("unexpected eof", "gnutls_handshake", "GnuTLS recv", "Network is unreachable", "No route to host"),
    *("kex_exchange_identification", "Connection closed by", "Broken pipe", "Recv failure", "Send failure"),
    *("invalid index-pack output", "unpack-objects failed", "bad pack header", "Service Unavailable"),
)


class MissingRemote(ControllerError):
    """The clone has no remote, or the remote is not there.

    Why: `origin` was renamed, or names an address that has moved, or is hidden from who has no access.
    Do: Check it with `git ls-remote origin`; set it with `git remote set-url origin URL`.
    """

    retry = Retry.BACKOFF


class RemoteDenied(ControllerError):
    """The remote does not know us, or refuses what we push.

    Why: The token or key is missing, expired or too weak, or a rule protects the branch that is written to.
    Do: Try `git push --dry-run origin main`; give the controller access, and let it pass the rules of main and
    `deployments`.
    """


class RemoteThrottled(ControllerError):
    """The remote answers, and asks to be asked less often; our retries are spent.

    Why: Many runs share one token or one address.
    Do: Wait a minute, then run the same command again; `RELEASECTL_PATIENCE` gives more seconds.
    """

    retry = Retry.BACKOFF


class RemoteUnreachable(ControllerError):
    """The remote does not answer, or breaks off.

    Why: The network or the host of the remote is down; what was asked was asked again until the patience was
    spent.
    Do: Check its status page and `git ls-remote origin`, then run the same command again. A push that arrived is
    found.
    """

    retry = Retry.BACKOFF


@dataclass(frozen=True)
class Remote:
    """The remote `origin` of one clone."""

    git: GitProcess

    def tips(self, *refs: str) -> tuple[str, ...]:
        """The commits of refs by their full names, "" where the remote has none. Raises what a remote says."""
        lines = again(lambda: self._ask("ls-remote", REMOTE, *refs)).decode().splitlines()
        found = {name: commit for commit, name in (line.split("\t", 1) for line in lines)}
        return tuple(found.get(ref, "") for ref in refs)

    def names(self, pattern: str) -> tuple[str, ...]:
        """The full names of all refs of a pattern. Raises what a remote says."""
        lines = again(lambda: self._ask("ls-remote", "--refs", REMOTE, pattern)).decode().splitlines()
        return tuple(line.split("\t", 1)[1] for line in lines)

    def fetch(self, *what: str) -> None:
        """By refspecs, commits or options. Raises UnknownCommit, Stale and what a remote says."""
        again(lambda: self._ask("fetch", "--quiet", "--no-tags", REMOTE, *what))

    def push(self, commit: str, *refs: str) -> None:
        """`commit` to all of `refs` or to none, never by force, and once.

        Raises ForNow when it may work in a moment; it may also have arrived, and only its answer was lost.
        """
        self._ask("push", "--quiet", "--atomic", REMOTE, *(f"{commit}:{ref}" for ref in refs))

    def _ask(self, *arguments: str) -> bytes:
        # A line that stands still is a line that is cut; git itself would wait for ever.
        impatient = {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": f"{max(1.0, patience()):.0f}"}
        try:
            return self.git.run(*arguments, environment=impatient, timeout=max(TIMEOUT, 2 * patience()))
        except GitFailed as error:
            self._say(error)

    def _say(self, error: GitFailed) -> NoReturn:
        """git's words as one of our errors."""
        cause = error.message

        def has(signs: tuple[str, ...]) -> bool:
            return any(sign in cause for sign in signs)

        if not self.git.tells("remote", "get-url", REMOTE):
            raise MissingRemote(
                f"talking to the remote of {self.git.root}: it has no remote `{REMOTE}`",
                f"Add it: git remote add {REMOTE} URL",
            ) from error
        if has(_DENIED):
            raise RemoteDenied(*self._words(cause, "Check your access, and the rules of what you push to.")) from error
        if has(_UNKNOWN):
            raise UnknownCommit(
                *self._words(cause, "Fetch what the remote has, and name something of that.")
            ) from error
        if has(_NOT_THERE):
            raise MissingRemote(*self._words(cause, f"Check the address: git ls-remote {REMOTE}")) from error
        if has(_THROTTLED):
            raise ForNow(RemoteThrottled(*self._words(cause, _LATER))) from error
        if has(_MOVED):
            raise ForNow(Stale(*self._words(cause, "Run the same command again."))) from error
        if has(_UNREACHABLE) and not has(_FINAL):
            raise ForNow(RemoteUnreachable(*self._words(cause, _AWAY))) from error
        raise GitFailed(*self._words(cause, error.remedy)) from error

    def _words(self, cause: str, remedy: str) -> tuple[str, str]:
        url = self.git.call("remote", "get-url", REMOTE).stdout.decode(errors="replace").strip()
        return f"talking to {_masked(url)}: {cause.split(': ', 1)[-1]}", remedy


def _masked(url: str) -> str:
    """A remote's URL may carry a token; nobody needs to read it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if rest else url
