"""Auto scaling configurations: revisions of a name, each immutable, `active` until it is deleted.

Comes in: checked requests. Goes out: App Runner's answers, or a Refusal. One instance serves a service here
whatever its scaling says; the numbers are kept and shown.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.runtimes.app_runner.store import Store
from sandbox.runtimes.app_runner.values import SCALING_DEFAULTS, Scaling, invalid_request
from sandbox.runtimes.copies import new_id
from sandbox.runtimes.paging import page
from sandbox.runtimes.refusal import Refusal

Request = Mapping[str, Any]
_NAMES, _REVISIONS = 10, 5  # AWS's quotas: names in a region, active revisions of a name


class ScalingConfigurations:
    """The operations on auto scaling configurations; `prefix` is `arn:aws:apprunner:<region>:<account>`."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = f"{prefix}:autoscalingconfiguration"
        self.default = f"{self._prefix}/DefaultConfiguration/1/{'1'.rjust(32, '0')}"
        if self.default not in store.scalings:
            numbers = _numbers({})
            store.scalings[self.default] = Scaling(
                self.default, "DefaultConfiguration", 1, *numbers, created=time.time()
            )

    def create(self, request: Request) -> dict[str, object]:
        name = request["AutoScalingConfigurationName"]
        if name == "DefaultConfiguration":
            raise invalid_request("DefaultConfiguration is a reserved name.")
        numbers = _numbers(request)
        if numbers[1] > numbers[2]:
            raise invalid_request("MaxSize must be greater than or equal to MinSize.")
        self._demand_quota(name)
        revision = max((known.revision for known in self._named(name)), default=0) + 1
        arn = f"{self._prefix}/{name}/{revision}/{new_id()}"
        self._store.scalings[arn] = Scaling(arn, name, revision, *numbers, created=time.time())
        self._store.tags[arn] = {tag["Key"]: tag.get("Value", "") for tag in request.get("Tags") or ()}
        self._store.save()
        return {"AutoScalingConfiguration": self._shown(self._store.scalings[arn])}

    def describe(self, request: Request) -> dict[str, object]:
        return {"AutoScalingConfiguration": self._shown(self.find(request["AutoScalingConfigurationArn"]))}

    def delete(self, request: Request) -> dict[str, object]:
        scaling = self.find(request["AutoScalingConfigurationArn"])
        if scaling.name == "DefaultConfiguration":
            raise invalid_request("The default auto scaling configuration cannot be deleted.")
        everything = request.get("DeleteAllRevisions")
        doomed = [known for known in self._named(scaling.name) if known.status == "active"]
        for known in doomed if everything else [scaling]:
            if self._associated(known):
                raise invalid_request(f"Auto scaling configuration {known.arn} is used by a service.")
        for known in doomed if everything else [scaling]:
            self._store.scalings[known.arn] = replace(known, status="inactive", deleted=time.time())
        self._store.save()
        return {"AutoScalingConfiguration": self._shown(self._store.scalings[scaling.arn])}

    def list_all(self, request: Request) -> dict[str, object]:
        name = request.get("AutoScalingConfigurationName")
        active = [
            known for known in self._store.scalings.values() if known.status == "active" and name in (None, known.name)
        ]
        if request.get("LatestOnly"):
            active = [known for known in active if self._latest(known)]
        summaries = [known.summary(associated=self._associated(known)) for known in active]
        return page(request, "AutoScalingConfigurationSummaryList", summaries, most=100)

    def find(self, arn: str) -> Scaling:
        """By whole ARN, by ARN up to the revision, or up to the name for the latest. Raises Refusal."""
        found = self._store.scalings.get(arn)
        if found is None:
            active = [
                known
                for known in self._store.scalings.values()
                if known.arn.startswith(f"{arn}/") and known.status == "active"
            ]
            found = max(active, key=lambda known: known.revision, default=None)
        if found is None:
            raise Refusal("ResourceNotFoundException", f"Auto scaling configuration not found: {arn}")
        return found

    def summary(self, arn: str) -> dict[str, object]:
        """What a service shows of its scaling."""
        return self._store.scalings[arn].summary(associated=True)

    def _shown(self, scaling: Scaling) -> dict[str, object]:
        return scaling.wire(associated=self._associated(scaling), latest=self._latest(scaling))

    def _named(self, name: str) -> list[Scaling]:
        return [known for known in self._store.scalings.values() if known.name == name]

    def _latest(self, scaling: Scaling) -> bool:
        newest: int = max(known.revision for known in self._named(scaling.name))
        return scaling.revision == newest

    def _associated(self, scaling: Scaling) -> bool:
        return any(
            scaling.arn in {service.shown.scaling_arn, service.serving.scaling_arn if service.serving else ""}
            for service in self._store.services.values()
            if service.status != "DELETED"
        )

    def _demand_quota(self, name: str) -> None:
        active = [known for known in self._store.scalings.values() if known.status == "active"]
        names = {known.name for known in active} - {"DefaultConfiguration"}
        if name not in names and len(names) >= _NAMES:
            raise Refusal("ServiceQuotaExceededException", f"At most {_NAMES} auto scaling configurations.")
        if sum(known.name == name for known in active) >= _REVISIONS:
            raise Refusal("ServiceQuotaExceededException", f"At most {_REVISIONS} revisions of {name}.")


def _numbers(request: Request) -> tuple[int, int, int]:
    given = SCALING_DEFAULTS | {key: request[key] for key in SCALING_DEFAULTS if request.get(key) is not None}
    return given["MaxConcurrency"], given["MinSize"], given["MaxSize"]
