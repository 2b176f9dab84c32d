"""Wire: one question to GitHub at a time, asked again while it may help, and never a write twice without a look.

Comes in: a path below the repository, what was being done, the few fields that we read. Goes out: those fields, or
our errors. Answers are checked against small models of our own: a field of GitHub's that we do not read may change.
It follows no link that an answer names.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from functools import cached_property, partial
from typing import Any, Literal, TypeVar

from githubkit.exception import GitHubException, GraphQLFailed, RequestFailed
from githubkit.response import Response
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from releasectl.edges.again import again
from releasectl.edges.github.account import Account, Client
from releasectl.edges.github.errors import GithubFailed, named, refused

T = TypeVar("T")
M = TypeVar("M", bound="Keyed")
PAGE = 100
PAGES = 100
_API_VERSION = "2022-11-28"  # which enterprise servers know, too
_NEXT = re.compile(r'rel="next"')
_GARBLED = "Look at the page on GitHub; if it is well, tell us what it shows."
_patient: ContextVar[bool] = ContextVar("patient", default=False)
Method = Literal["GET", "POST", "PATCH", "PUT", "DELETE"]


class Model(BaseModel):
    """What we read of an answer; all else is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Keyed(Model):
    """What a list is made of."""

    id: int


class _Installation(Keyed):
    """Of an App in a repository."""


class Wire:
    """To one repository. One connection is kept open; `close` ends it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._open = ExitStack()

    def close(self) -> None:
        """End the connection."""
        self._open.close()

    def ask(self, what: str, method: Method, path: str, model: type[T], **more: Any) -> T:
        """One answer. `more`: params, json. Only for what may be asked twice: reads, and writes that set a state."""
        return self.patient(lambda: parsed(what, self._send(what, method, path, **more), model))

    def do(self, what: str, method: Method, path: str, *, gone: tuple[int, ...] = (), **more: Any) -> None:
        """What has no answer. The statuses of `gone` are as good."""
        self.patient(lambda: self._send(what, method, path, allowed=gone, **more))

    def maybe(self, what: str, path: str, model: type[T], **more: Any) -> T | None:
        """A read of what may not be there. The caller makes sure that the repository itself can be seen."""

        def once() -> T | None:
            answer = self._send(what, "GET", path, allowed=(404,), **more)
            return None if answer.status_code == 404 else parsed(what, answer, model)

        return self.patient(once)

    def pages(self, what: str, path: str, model: type[M], *, within: str = "", **params: str) -> tuple[M, ...]:
        """Every item of a list once, in its order, though pages may move while they are read."""
        return tuple({item.id: item for item in self._all(what, path, model, within=within, params=params)}.values())

    def first_page(self, what: str, path: str, model: type[M], **params: str) -> tuple[M, ...]:
        """The first items of a list, whatever comes after: for lists that only grow."""
        answer = self.patient(lambda: self._send(what, "GET", path, params={**params, "per_page": "30"}))
        return tuple(listed(what, answer, model, ""))

    def plain_pages(self, what: str, path: str, model: type[T]) -> tuple[T, ...]:
        """The same of what has no id."""
        return tuple(self._all(what, path, model))

    def create(self, post: Callable[[], T], find: Callable[[], T | None]) -> T:
        """What `post` makes. Where its answer was lost, first `find` looks whether it was made after all."""
        tried: list[bool] = []

        def once() -> T:
            if tried and (made := find()) is not None:
                return made
            tried.append(True)
            return post()

        return self.patient(once)

    def graphql(self, what: str, query: str, variables: Mapping[str, object]) -> dict[str, Any]:
        """The data of a query. Raises GithubFailed with GraphQL's word for what is wrong."""

        def once() -> dict[str, Any]:
            try:
                return dict(self._client.graphql(query, variables=dict(variables)))
            except GraphQLFailed as error:
                raise refused(what, error) from error
            except GitHubException as error:
                raise named(what, error) from error
            except (ValidationError, ValueError, TypeError) as error:
                raise GithubFailed(f"{what}: the answer is none", _GARBLED) from error

        return self.patient(once)

    def upload(self, what: str, path: str, model: type[T], *, content: bytes, kind: str) -> T:
        """A file to where files go."""
        address = f"{self.account.uploads}/repos/{self.account.repository}/{path}"
        more: dict[str, Any] = {"content": content, "headers": {"Content-Type": kind}}
        return self.patient(lambda: parsed(what, self._send(what, "POST", address, **more), model))

    def patient(self, call: Callable[[], T]) -> T:
        """Again until it works or patience is spent; within another patient call only once, for that one asks again."""
        if _patient.get():
            return call()
        token = _patient.set(True)
        try:
            return again(call, limit=self.account.patience)
        finally:
            _patient.reset(token)

    def _all(
        self, what: str, path: str, model: type[T], *, within: str = "", params: Mapping[str, str] | None = None
    ) -> Iterator[T]:
        asked = {**(params or {}), "per_page": str(PAGE)}
        for page in range(1, PAGES + 1):
            answer = self.patient(partial(self._send, what, "GET", path, params={**asked, "page": str(page)}))
            yield from listed(what, answer, model, within)
            if not _NEXT.search(answer.headers.get("link", "")):
                return
        raise GithubFailed(f"{what}: more than {PAGES} pages", "Take away what is old there.")

    def _send(
        self, what: str, method: Method, path: str, *, allowed: tuple[int, ...] = (), **more: Any
    ) -> Response[Any]:
        if {".", ".."} & set(path.partition("?")[0].split("/")):  # which an HTTP client would resolve: another question
            raise GithubFailed(f"{what}: a name in {path!r} is none", "Check the names of branches and files.")
        url = path if "://" in path else f"/repos/{self.account.repository}/{path}".rstrip("/")
        heading = {"X-GitHub-Api-Version": _API_VERSION, **more.pop("headers", {})}
        try:
            answer: Response[Any] = self._client.request(method, url, headers=heading, **more)
        except RequestFailed as error:
            if error.response.status_code in allowed:
                return error.response
            raise named(what, error) from error
        except GitHubException as error:
            raise named(what, error) from error
        if answer.raw_response.is_redirect:
            raise GithubFailed(
                f"{what}: status {answer.status_code}: it moved elsewhere",
                "Set GITHUB_REPOSITORY to the repository's new name.", answer.status_code,
            )  # fmt: skip
        return answer

    @cached_property
    def _client(self) -> Client:
        account = self.account
        if not account.app:
            return self._open.enter_context(account.client(account.as_token()))
        what = f"looking for the App's installation in {account.repository}"
        auth = account.as_app(account.app)
        with account.client(auth) as app:
            try:
                answer = app.request("GET", f"/repos/{account.repository}/installation")
            except GitHubException as error:
                raise named(what, error) from error
        found = parsed(what, answer, _Installation)
        installed = auth.as_installation(found.id, repositories=[account.repository.partition("/")[2]])
        return self._open.enter_context(account.client(installed))


def parsed(what: str, answer: Response[Any], model: type[T]) -> T:
    """What we read of an answer. Raises GithubFailed."""
    return _checked(what, TypeAdapter(model), answer)


def listed(what: str, answer: Response[Any], model: type[T], within: str) -> list[T]:
    """The items of a page, which some answers have under a name, beside their count."""
    if not within:
        return _checked(what, TypeAdapter(list[model]), answer)  # type: ignore[valid-type]  # a type made of a value
    rest = parsed(what, answer, dict[str, Any])
    return [_checked(what, TypeAdapter(model), json.dumps(one).encode()) for one in rest.get(within, ())]


def _checked(what: str, shape: TypeAdapter[T], answer: Response[Any] | bytes) -> T:
    try:
        return shape.validate_json(answer if isinstance(answer, bytes) else answer.content or b"{}")
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise GithubFailed(f"{what}: the answer is none: {where or 'no JSON'}", _GARBLED) from error
