"""Application Auto Scaling: scalable targets and their policies, kept and told as AWS tells them.

Comes in: requests that the model has passed. Goes out: AWS's answers, or a Refusal. It keeps what it is asked for and
scales nothing: on a laptop one task stands for several. A target is there only for a service that ECS knows. What it
keeps is in one JSON file, so it survives a restart.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sandbox.runtimes.api import JsonService, at_once
from sandbox.runtimes.paging import page
from sandbox.runtimes.refusal import Refusal

Request = Mapping[str, Any]
Entry = dict[str, Any]
_WHAT = ("ServiceNamespace", "ResourceId", "ScalableDimension")
_CAPACITY = ("MinCapacity", "MaxCapacity", "RoleARN", "SuspendedState")


class Scaling:
    """`knows` says whether there is a service of that resource id, `service/CLUSTER/NAME`."""

    def __init__(self, path: Path, prefix: str, knows: Callable[[str], bool]) -> None:
        self._path, self._prefix, self._knows = path, prefix, knows
        kept = json.loads(path.read_bytes()) if path.exists() else {}
        self._targets: dict[str, Entry] = kept.get("targets", {})
        self._policies: dict[str, Entry] = kept.get("policies", {})
        self._tags: dict[str, dict[str, str]] = kept.get("tags", {})

    def register(self, request: Request) -> Entry:
        key = _key(request)
        known = self._targets.get(key)
        if known is None and not self._knows(request["ResourceId"]):
            raise Refusal("ValidationException", f"ECS service doesn't exist: {request['ResourceId']}")
        if known is None and not {"MinCapacity", "MaxCapacity"} <= request.keys():
            raise Refusal("ValidationException", "MinCapacity and MaxCapacity are required for a new target.")
        made = known or {
            **{name: request[name] for name in _WHAT},
            "ScalableTargetARN": f"{self._prefix}:scalable-target/{uuid.uuid4().hex[:24]}",
            "CreationTime": time.time(),
            "RoleARN": self._role(),
        }
        made = made | {name: request[name] for name in _CAPACITY if name in request}
        if made["MinCapacity"] > made["MaxCapacity"]:
            raise Refusal("ValidationException", "Minimum capacity must not be greater than maximum capacity.")
        self._targets[key] = made
        self._tags.setdefault(made["ScalableTargetARN"], {}).update(request.get("Tags") or {})
        self._save()
        return {"ScalableTargetARN": made["ScalableTargetARN"]}

    def describe(self, request: Request) -> Mapping[str, object]:
        found = [one for one in self._targets.values() if _asked_for(one, request)]
        wanted = request.get("ResourceIds")
        return page(
            request, "ScalableTargets", [one for one in found if not wanted or one["ResourceId"] in wanted], most=50
        )

    def deregister(self, request: Request) -> Entry:
        """With it go its policies."""
        self._target(request)
        gone = self._targets.pop(_key(request))
        self._tags.pop(gone["ScalableTargetARN"], None)
        self._policies = {key: one for key, one in self._policies.items() if _key(one) != _key(request)}
        self._save()
        return {}

    def put_policy(self, request: Request) -> Entry:
        self._target(request)
        key = f"{_key(request)}/{request['PolicyName']}"
        known = self._policies.get(key, {})
        path = f"{request['ServiceNamespace']}/{request['ResourceId']}:policyName/{request['PolicyName']}"
        prefix = self._prefix.replace("application-autoscaling", "autoscaling")
        arn = f"{prefix}:scalingPolicy:{uuid.uuid4()}:resource/{path}"
        self._policies[key] = {
            "CreationTime": known.get("CreationTime", time.time()),
            "PolicyARN": known.get("PolicyARN", arn),
            "Alarms": [],
            **{name: value for name, value in request.items() if value is not None},
        }
        self._save()
        return {"PolicyARN": self._policies[key]["PolicyARN"], "Alarms": []}

    def describe_policies(self, request: Request) -> Mapping[str, object]:
        found = [one for one in self._policies.values() if _asked_for(one, request)]
        wanted = request.get("PolicyNames")
        return page(
            request, "ScalingPolicies", [one for one in found if not wanted or one["PolicyName"] in wanted], most=50
        )

    def delete_policy(self, request: Request) -> Entry:
        key = f"{_key(request)}/{request['PolicyName']}"
        if self._policies.pop(key, None) is None:
            raise _missing(f"scaling policy {request['PolicyName']}", request)
        self._save()
        return {}

    def list_tags(self, request: Request) -> Entry:
        return {"Tags": self._tagged(request)}

    def tag(self, request: Request) -> Entry:
        self._tagged(request).update(request["Tags"])
        self._save()
        return {}

    def untag(self, request: Request) -> Entry:
        for key in request["TagKeys"]:
            self._tagged(request).pop(key, None)
        self._save()
        return {}

    def _target(self, request: Request) -> Entry:
        if _key(request) not in self._targets:
            raise _missing("scalable target", request)
        return self._targets[_key(request)]

    def _tagged(self, request: Request) -> dict[str, str]:
        if request["ResourceARN"] not in self._tags:
            raise Refusal("ResourceNotFoundException", f"There is no {request['ResourceARN']}.")
        return self._tags[request["ResourceARN"]]

    def _role(self) -> str:
        """The service-linked role that AWS makes at the first registration of an account."""
        account = self._prefix.split(":")[4]
        path = "aws-service-role/ecs.application-autoscaling.amazonaws.com"
        return f"arn:aws:iam::{account}:role/{path}/AWSServiceRoleForApplicationAutoScaling_ECSService"

    def _save(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps({"targets": self._targets, "policies": self._policies, "tags": self._tags}))
        fresh.replace(self._path)


def application_autoscaling(scaling: Scaling) -> JsonService:
    """Application Auto Scaling, API version 2016-02-06."""
    operations = {
        "RegisterScalableTarget": scaling.register,
        "DescribeScalableTargets": scaling.describe,
        "DeregisterScalableTarget": scaling.deregister,
        "PutScalingPolicy": scaling.put_policy,
        "DescribeScalingPolicies": scaling.describe_policies,
        "DeleteScalingPolicy": scaling.delete_policy,
        "ListTagsForResource": scaling.list_tags,
        "TagResource": scaling.tag,
        "UntagResource": scaling.untag,
    }
    return JsonService(
        service="application-autoscaling",
        called="Application Auto Scaling",
        invalid="ValidationException",
        broken="InternalServiceException",
        said="Message",
        operations={name: at_once(operation) for name, operation in operations.items()},
    )


def _key(values: Request) -> str:
    return "/".join(str(values[name]) for name in _WHAT)


def _asked_for(entry: Entry, request: Request) -> bool:
    return all(entry[name] == request[name] for name in _WHAT if request.get(name) is not None)


def _missing(what: str, request: Request) -> Refusal:
    return Refusal("ObjectNotFoundException", f"No {what} registered for {' '.join(_words(request))}.")


def _words(request: Request) -> Iterator[str]:
    return (str(request[name]) for name in _WHAT)
