"""Observability configurations: revisions of a name, each immutable, ACTIVE until it is deleted.

Comes in: checked requests. Goes out: App Runner's answers, or a Refusal. Kept and told; nothing is traced here.
"""

import time
from collections.abc import Mapping
from typing import Any

from sandbox.runtimes.app_runner.store import Store
from sandbox.runtimes.copies import new_id
from sandbox.runtimes.paging import page

Request = Mapping[str, Any]
Entry = dict[str, Any]
_NAME = "ObservabilityConfigurationName"
_ARN = "ObservabilityConfigurationArn"
_REVISION = "ObservabilityConfigurationRevision"


class ObservabilityConfigurations:
    """The operations; `prefix` is `arn:aws:apprunner:<region>:<account>`."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store, self._prefix = store, f"{prefix}:observabilityconfiguration"

    def create(self, request: Request) -> Entry:
        name = request[_NAME]
        revision = max((one[_REVISION] for one in self._named(name)), default=0) + 1
        arn = f"{self._prefix}/{name}/{revision}/{new_id()}"
        trace = {"TraceConfiguration": request["TraceConfiguration"]} if request.get("TraceConfiguration") else {}
        made = {_ARN: arn, _NAME: name, _REVISION: revision, "Status": "ACTIVE", "CreatedAt": time.time(), **trace}
        self._store.keep(arn, made, request.get("Tags"))
        return {"ObservabilityConfiguration": self._shown(made)}

    def describe(self, request: Request) -> Entry:
        return {"ObservabilityConfiguration": self._shown(self._one(request))}

    def list_all(self, request: Request) -> dict[str, object]:
        known = [one for arn, one in self._store.more.items() if arn.startswith(self._prefix)]
        name = request.get(_NAME)
        active = [one for one in known if one["Status"] == "ACTIVE" and name in (None, one[_NAME])]
        shown = [self._shown(one) for one in active]
        latest = [one for one in shown if one["Latest"] or not request.get("LatestOnly")]
        summaries = [{key: one[key] for key in (_ARN, _NAME, _REVISION)} for one in latest]
        return page(request, "ObservabilityConfigurationSummaryList", summaries, most=100)

    def delete(self, request: Request) -> Entry:
        gone = self._one(request) | {"Status": "INACTIVE", "DeletedAt": time.time()}
        self._store.keep(gone[_ARN], gone)
        return {"ObservabilityConfiguration": self._shown(gone)}

    def _one(self, request: Request) -> Entry:
        return self._store.one(request[_ARN], self._prefix, "Observability configuration")

    def _named(self, name: str) -> list[Entry]:
        return [one for arn, one in self._store.more.items() if arn.startswith(f"{self._prefix}/{name}/")]

    def _shown(self, one: Entry) -> Entry:
        newest = max(known[_REVISION] for known in self._named(one[_NAME]))
        return one | {"Latest": one[_REVISION] == newest}
