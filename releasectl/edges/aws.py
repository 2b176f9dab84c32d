"""How AWS says no: botocore's exceptions, and the same words inside the engine's messages -> our errors.

Comes in: what was being asked of AWS. Goes out: the answer, or one error that says whether AWS refused us, asks
us to slow down, or was not there. It makes no call of its own.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
)

from releasectl.errors import ControllerError, Retry

if TYPE_CHECKING:
    from boto3.session import Session

# Few retries with jitter by botocore itself; an answer that takes longer is told as "down".
CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})

_DENIED = (
    *("AccessDenied", "UnrecognizedClient", "InvalidClientTokenId", "ExpiredToken", "SignatureDoesNotMatch"),
    *("AuthFailure", "not authorized to perform", "NotAuthorized", "InvalidSignature", "no valid credential"),
    "MissingAuthenticationToken",
)
_THROTTLED = ("Throttl", "TooManyRequests", "Rate exceeded", "RequestLimitExceeded", "SlowDown")
# App Runner, IAM and others while they still do what was asked before, perhaps by a call whose answer was lost.
_BUSY = ("OPERATION_IN_PROGRESS", "OperationInProgress", "ConcurrentModification", "ConflictException")
_DOWN = (
    *("Could not connect to the endpoint", "onnection refused", "no such host", "Connection was closed"),
    *("ServiceUnavailable", "InternalServiceError", "InternalFailure", "InternalError", "i/o timeout"),
    *("Read timeout", "Connect timeout", "Service Unavailable", "connection reset"),
)
_STATUS = {401: "AuthFailure", 403: "AccessDenied", 429: "TooManyRequests"}


class AwsDenied(ControllerError):
    """AWS knows us and says no, or does not know us.

    Why: The role lacks a permission, its credentials are missing or expired, or the account's registry refuses
    the login.
    Do: Run `aws sts get-caller-identity` and compare the role with the action that the message names; then log in
    or extend the role's policy.
    """


class AwsThrottled(ControllerError):
    """AWS answers, and asks to be asked less often; our retries are spent.

    Why: Others use the same account's quota at the same time, or many environments are asked at once.
    Do: Wait a minute, then run the same command again.
    """

    retry = Retry.BACKOFF


class AwsUnreachable(ControllerError):
    """AWS does not answer, or answers that it is broken.

    Why: The network, a proxy (`HTTPS_PROXY`), an endpoint (`AWS_ENDPOINT_URL`) or the service itself is down.
    Do: Check the network and the AWS health page, then run the same command again.
    """

    retry = Retry.BACKOFF


class AwsBusy(ControllerError):
    """AWS is still at work on what was asked of it before.

    Why: One object takes one operation at a time; the earlier one may have been ours, its answer lost.
    Do: Wait until it is done, then run the same command again.
    """

    retry = Retry.BACKOFF


class AwsFailed(ControllerError):
    """AWS refused a call for a reason that has no name of its own here.

    Why: Usually a value that AWS does not accept, or an object in a state in which it takes no such call.
    Do: Read the cause in the message, mend what it names, then run the same command again.
    """


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Translate botocore's exceptions of the calls inside; `what` says what was being done, with the ARN or name."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError, TokenRetrievalError) as error:
        raise AwsDenied(f"{what}: {error}", "Log in to AWS: aws sts get-caller-identity") from error
    except (EndpointConnectionError, ConnectionClosedError, HTTPClientError) as error:
        raise named(what, f"Could not connect to the endpoint: {error}") from error
    except ClientError as error:
        raise _answered(what, error) from error
    except BotoCoreError as error:
        raise named(what, str(error)) from error


def _answered(what: str, error: ClientError) -> ControllerError:
    """By its words; by its status where they say nothing: whatever stands before AWS answers in words of its own."""
    found = named(what, str(error))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    meant = _STATUS.get(status, "ServiceUnavailable" if status >= 500 else "")
    return named(what, f"{meant}: {error}") if meant and not is_ours(found) else found


def named(what: str, cause: str) -> ControllerError:
    """The error for `cause`, the text of an answer of AWS or of the engine that passes one on."""
    if any(sign in cause for sign in _DENIED):
        return AwsDenied(f"{what}: {cause}", "Check the role and its permissions: aws sts get-caller-identity")
    if any(sign in cause for sign in _THROTTLED):
        return AwsThrottled(f"{what}: {cause}", "Wait a minute, then run the same command again.")
    if any(sign in cause for sign in _BUSY):
        return AwsBusy(f"{what}: {cause}", "Wait until it is done, then run the same command again.")
    if any(sign in cause for sign in _DOWN):
        return AwsUnreachable(f"{what}: {cause}", "Check the network and the AWS health page, then try again.")
    return AwsFailed(f"{what}: {cause}", "Read the cause above; run the same command again once it is gone.")


def is_ours(error: ControllerError) -> bool:
    """Is it about AWS not letting us ask, rather than about what we asked for?"""
    return not isinstance(error, AwsFailed)


def moment(milliseconds: float) -> datetime:
    """A time as CloudWatch Logs tells it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@functools.cache
def session(region: str) -> "Session":
    """One session a region: making one costs more than a call (boto3 loads its models)."""
    return boto3.Session(region_name=region or None)
