"""How GitHub says no: githubkit's exceptions -> our errors, and which of them pass by themselves.

Comes in: an exception of a call, and what was being asked. Goes out: ForNow around what may work in a moment, or the
error that stays. Of an answer only its status and GitHub's own message are told, never a header or a body: neither
a token nor a key can be in it.
"""

from githubkit.exception import GitHubException, GraphQLFailed, RateLimitExceeded, RequestError, RequestFailed
from httpx import HTTPError

from releasectl.edges.again import ForNow
from releasectl.errors import ControllerError, Retry

MINUTE = 60.0
_LATER = "Wait a minute, then run the same command again."


class NoGithub(ControllerError):
    """Which repository on GitHub is meant, or as whom to speak to it, is not known.

    Why: Pull requests, comments and checks are asked of GitHub, which needs a repository and a token.
    Do: Set `GITHUB_TOKEN`, or `RELEASECTL_APP_ID` with `RELEASECTL_APP_KEY`; set `GITHUB_REPOSITORY` to OWNER/NAME
    where the clone's remote does not tell it.
    """

    exit_code = 2


class GithubDenied(ControllerError):
    """GitHub does not know us, does not let us, or hides it from us.

    Why: The token is wrong or expired, lacks a permission, is of another repository, or a ruleset says no. To who
    may not see a thing, GitHub says that it is not there.
    Do: Compare the token's permissions with what the message was about, in the job's `permissions:` or in the App's
    settings; then run the same command again.
    """


class GithubThrottled(ControllerError):
    """GitHub answers, and asks to be asked less often; our patience is spent.

    Why: The token's hourly requests are used up, or too much was written within a minute.
    Do: Wait until the time that the message names, then run the same command again; `RELEASECTL_PATIENCE` gives
    more seconds.
    """

    retry = Retry.BACKOFF


class GithubUnreachable(ControllerError):
    """GitHub does not answer, or answers that it is broken.

    Why: The network, a proxy (`HTTPS_PROXY`), a wrong `GITHUB_API_URL`, or GitHub itself is down.
    Do: Check the network and https://www.githubstatus.com, then run the same command again.
    """

    retry = Retry.BACKOFF


class GithubFailed(ControllerError):
    """GitHub refused a call for a reason that has no name of its own here, or gave an answer that is none.

    Why: Usually a value that GitHub does not accept, or a thing in a state in which it takes no such call.
    Do: Read the cause in the message, mend what it names, then run the same command again.
    """

    def __init__(self, message: str, remedy: str, status: int = 0, word: str = "") -> None:
        """`status` is of HTTP, `word` GraphQL's name for what is wrong."""
        super().__init__(message, remedy)
        self.status, self.word = status, word


def named(what: str, error: GitHubException) -> ForNow | ControllerError:
    """What to raise for an exception of githubkit."""
    if isinstance(error, RateLimitExceeded):
        after = error.retry_after.total_seconds()
        return _throttled(what, f"in {after:.0f} s it may be asked again", after)
    if isinstance(error, RequestFailed):
        return _answered(what, error)
    if isinstance(error, RequestError):
        inner = error.exc
        if isinstance(inner, GitHubException):  # while a token was fetched for the call
            return named(f"{what}, as an App", inner)
        if isinstance(inner, HTTPError):
            cause = str(inner) or type(inner).__name__
            return ForNow(GithubUnreachable(f"{what}: unreachable: {cause}", _LATER))
        # Whatever else breaks before a request is out: the key that signs it.
        return GithubDenied(
            f"{what}: the App's key signs nothing: {type(inner).__name__}", "Give the private key of the App, as PEM."
        )
    return GithubFailed(f"{what}: {type(error).__name__}", "Read the cause above; then run the same command again.")


def _answered(what: str, error: RequestFailed) -> ForNow | ControllerError:
    status, said = error.response.status_code, told(error)
    cause = f"status {status}" + (f": {said}" if said else "")
    if status == 429 or (status == 403 and "rate limit" in said.lower()):
        return _throttled(what, said, MINUTE)  # "at least one minute", where no header says more
    if status >= 500:
        return ForNow(GithubUnreachable(f"{what}: unreachable: {cause}", _LATER))
    if status in (401, 403):
        return GithubDenied(f"{what}: denied: {cause}", "Check the token and its permissions.")
    if status == 404:
        return GithubDenied(f"{what}: {cause}: it is not there, or not for this token", "Check the name and the token.")
    return GithubFailed(f"{what}: {cause}", "Read the cause above; run the same command once it is gone.", status)


def _throttled(what: str, cause: str, after: float) -> ForNow:
    return ForNow(GithubThrottled(f"{what}: throttled: {cause}", _LATER), after)


def refused(what: str, error: GraphQLFailed) -> ControllerError:
    """What to raise for an answer of GraphQL that is a no."""
    first = next(iter(error.response.errors or ()), None)
    word, said = (str(first.type or ""), first.message[:500]) if first else ("", "")
    if word in ("FORBIDDEN", "NOT_FOUND", "UNAUTHORIZED"):
        return GithubDenied(f"{what}: denied: {said}", "Check the token, its permissions and the rulesets.")
    return GithubFailed(f"{what}: {said}", "Read the cause above; run the same command once it is gone.", word=word)


def told(error: RequestFailed) -> str:
    """GitHub's message and the details of what is not valid, on one line, not too long."""
    try:
        body = error.response.json()
        details = [each.get("message") or each.get("code", "") for each in body.get("errors", ()) if _is_map(each)]
        return ": ".join(filter(None, map(str, (body.get("message"), *details))))[:500]
    except (ValueError, AttributeError, TypeError):
        return ""


def _is_map(value: object) -> bool:
    return isinstance(value, dict)
