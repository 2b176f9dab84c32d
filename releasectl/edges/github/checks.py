"""Check runs on GitHub: what a commit has, and our own verdicts there.

Comes in: a commit, a report. Goes out: checks. Ours is known by its name and the key that we gave it; another App's
check of the same name is never updated.
"""

from dataclasses import dataclass
from typing import Any

from releasectl.edges.github.errors import GithubDenied
from releasectl.edges.github.wire import Keyed, Model, Wire
from releasectl.forge import Check, Report

LONGEST = 65_535  # characters of a summary
_CUT = "\n\n*The rest is cut: see the output of the run.*"


class _App(Model):
    slug: str | None = None


class _Check(Keyed):
    name: str
    status: str
    conclusion: str | None = None
    external_id: str | None = None
    html_url: str | None = None
    app: _App | None = None


@dataclass(frozen=True)
class GithubChecks:
    """See forge.Checks."""

    wire: Wire

    def of(self, commit: str) -> tuple[Check, ...]:
        """The newest run of each check of a commit."""
        return tuple(self._list(commit))

    def put(self, commit: str, report: Report) -> Check:
        """Write or update ours."""
        ours = self._ours(commit, report)
        if ours is not None:
            try:
                return self._update(ours, report)
            except GithubDenied:  # another App's, with our name and key: ours stands beside it
                pass
        known = frozenset(one.id for one in self._list(commit, report.name))
        return self.wire.create(lambda: self._create(commit, report), lambda: self._ours(commit, report, besides=known))

    def _create(self, commit: str, report: Report) -> Check:
        body = _body(report) | {"head_sha": commit}
        return _check(self.wire.ask(f"writing check {report.name}", "POST", "check-runs", _Check, json=body))

    def _update(self, ours: Check, report: Report) -> Check:
        what, path = f"updating check {report.name}", f"check-runs/{ours.id}"
        return _check(self.wire.ask(what, "PATCH", path, _Check, json=_body(report)))

    def _ours(self, commit: str, report: Report, *, besides: frozenset[int] = frozenset()) -> Check | None:
        found = [one for one in self._list(commit, report.name) if one.key == report.key and one.id not in besides]
        return max(found, key=lambda one: one.id, default=None)

    def _list(self, commit: str, name: str = "") -> list[Check]:
        named = {"check_name": name} if name else {}
        what, path = f"reading the checks of {commit[:12]}", f"commits/{commit}/check-runs"
        read = self.wire.pages(what, path, _Check, within="check_runs", filter="latest", **named)
        return [_check(one) for one in read]


def _body(report: Report) -> dict[str, Any]:
    summary = report.summary
    if len(summary) > LONGEST:
        summary = summary[: LONGEST - len(_CUT)] + _CUT
    body: dict[str, Any] = {
        "name": report.name,
        "external_id": report.key,
        "output": {"title": report.title, "summary": summary},
        "status": "completed" if report.conclusion else "in_progress",
    }
    if report.conclusion:
        body["conclusion"] = report.conclusion
    return body | ({"details_url": report.url} if report.url else {})


def _check(told: _Check) -> Check:
    app = (told.app and told.app.slug) or ""
    return Check(
        told.id, told.name, told.status, told.conclusion or "", app, told.html_url or "", told.external_id or ""
    )  # fmt: skip
