"""App Runner: service and auto scaling configuration.

Comes in: properties by the provider's names. Goes out: calls to the `apprunner` API, and the waits that
terraform-provider-aws does: until the service is RUNNING, whatever it runs. It never calls ListOperations, so an update
that App Runner rolled back ends well here, with the old image in the outputs. That is the real provider's hole, kept.
"""

import time
from typing import Any

from sandbox.provider.aws import found, given, retag, tag_list, tag_map
from sandbox.provider.resource import Client, Failed, ResourceType, Update, Wait
from sandbox.provider.values import Properties

# The two spell everything alike but for the first letter; the keys of these maps are the user's own.
_MAPS = frozenset({"runtimeEnvironmentVariables", "runtimeEnvironmentSecrets"})
_SECTIONS = (
    "healthCheckConfiguration",
    "instanceConfiguration",
    "networkConfiguration",
    "observabilityConfiguration",
    "sourceConfiguration",
)
_IN_PROGRESS = "OPERATION_IN_PROGRESS"
# Hard-coded in the real provider as well: its waits do not follow customTimeouts.
_TIMEOUT_SECONDS = 20 * 60
_POLL_SECONDS = 0.15


def _to_api(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key[0].upper() + key[1:]: item if key in _MAPS else _to_api(item) for key, item in value.items()}


def _from_api(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    names = {key: key[0].lower() + key[1:] for key in value}
    return {
        name: value[key] if name in _MAPS else _from_api(value[key])
        for key, name in names.items()
    }  # fmt: skip


def _sections(inputs: Properties, names: Any) -> dict[str, Any]:
    return {name[0].upper() + name[1:]: _to_api(inputs[name]) for name in names if inputs.get(name)}


def _create(client: Client, inputs: Properties) -> str:
    answer = client.create_service(
        ServiceName=inputs["serviceName"],
        Tags=tag_list(inputs.get("tags")),
        **_sections(inputs, (*_SECTIONS, "encryptionConfiguration")),
        **given(AutoScalingConfigurationArn=inputs.get("autoScalingConfigurationArn")),
    )
    return str(answer["Service"]["ServiceArn"])


def _read(client: Client, arn: str, _known: Properties) -> Properties | None:
    answer = found(client.describe_service, ServiceArn=arn)
    if answer is None or answer["Service"]["Status"] == "DELETED":
        return None
    service = answer["Service"]
    outputs = {name: _from_api(service.get(name[0].upper() + name[1:])) for name in _SECTIONS}
    return outputs | {
        "arn": arn,
        "serviceName": service["ServiceName"],
        "serviceId": service["ServiceId"],
        "serviceUrl": service.get("ServiceUrl"),
        "status": service["Status"],
        "encryptionConfiguration": _from_api(service.get("EncryptionConfiguration")),
        "autoScalingConfigurationArn": service.get("AutoScalingConfigurationSummary", {}).get(
            "AutoScalingConfigurationArn"
        ),
        "tags": tag_map(client.list_tags_for_resource(ResourceArn=arn)["Tags"]),
    }


def _update(client: Client, update: Update) -> None:
    arn = update.id
    retag(
        update,
        lambda tags: client.tag_resource(ResourceArn=arn, Tags=tags),
        lambda keys: client.untag_resource(ResourceArn=arn, TagKeys=keys),
    )
    if update.changed - {"tags"}:
        changed = [name for name in _SECTIONS if name in update.changed]
        scaling = update.news.get("autoScalingConfigurationArn")
        client.update_service(
            ServiceArn=arn,
            **_sections(update.news, changed),
            **given(AutoScalingConfigurationArn=scaling if "autoScalingConfigurationArn" in update.changed else None),
        )


def _status(client: Client, arn: str) -> str:
    answer = found(client.describe_service, ServiceArn=arn)
    return str(answer["Service"]["Status"]) if answer else "DELETED"


def _await(client: Client, arn: str, operation: str, target: str = "RUNNING", *pending: str) -> None:
    doing = f"waiting for App Runner Service ({arn}) {operation}"
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while (status := _status(client, arn)) != target:
        if status not in (_IN_PROGRESS, *pending):
            raise Failed(f"{doing}: unexpected state '{status}', wanted target '{target}'")
        if time.monotonic() > deadline:
            wanted = f"state to become '{target}' (last state: '{status}', timeout: 20m0s)"
            raise Failed(f"{doing}: timeout while waiting for {wanted}")
        time.sleep(_POLL_SECONDS)


def _wait(client: Client, arn: str, wait: Wait) -> None:
    _await(client, arn, wait.operation)


def _delete(client: Client, arn: str, _known: Properties) -> None:
    if found(client.delete_service, ServiceArn=arn) is not None:
        _await(client, arn, "delete", "DELETED", "RUNNING")


def _units(text: Any) -> Any:
    """ "1 vCPU" is 1024 units and "2 GB" is 2048 MB: App Runner takes both and tells the number."""
    number, _, unit = str(text).partition(" ")
    return str(int(float(number) * 1024)) if unit in ("vCPU", "GB") else text


def _create_scaling(client: Client, inputs: Properties) -> str:
    answer = client.create_auto_scaling_configuration(
        AutoScalingConfigurationName=inputs["autoScalingConfigurationName"],
        MaxConcurrency=inputs["maxConcurrency"],
        MinSize=inputs["minSize"],
        MaxSize=inputs["maxSize"],
        Tags=tag_list(inputs.get("tags")),
    )
    return str(answer["AutoScalingConfiguration"]["AutoScalingConfigurationArn"])


def _read_scaling(client: Client, arn: str, _known: Properties) -> Properties | None:
    answer = found(client.describe_auto_scaling_configuration, AutoScalingConfigurationArn=arn)
    # The wire says `active` though the API's model has `ACTIVE`.
    if answer is None or answer["AutoScalingConfiguration"]["Status"].lower() == "inactive":
        return None
    scaling = answer["AutoScalingConfiguration"]
    names = {
        "AutoScalingConfigurationName",
        "AutoScalingConfigurationRevision",
        "HasAssociatedService",
        "IsDefault",
        "Latest",
        "MaxConcurrency",
        "MaxSize",
        "MinSize",
        "Status",
    }
    outputs: Properties = _from_api({name: scaling[name] for name in names if name in scaling})
    tags = tag_map(client.list_tags_for_resource(ResourceArn=arn)["Tags"])
    return outputs | {"arn": arn, "tags": tags}


def _update_scaling(client: Client, update: Update) -> None:
    retag(
        update,
        lambda tags: client.tag_resource(ResourceArn=update.id, Tags=tags),
        lambda keys: client.untag_resource(ResourceArn=update.id, TagKeys=keys),
    )


def _delete_scaling(client: Client, arn: str, _known: Properties) -> None:
    found(client.delete_auto_scaling_configuration, AutoScalingConfigurationArn=arn)


TYPES = (
    ResourceType(
        token="aws:apprunner/service:Service",
        title="App Runner Service",
        service="apprunner",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        wait=_wait,
        replaces=frozenset({"serviceName", "encryptionConfiguration", "region"}),
        defaults={
            "healthCheckConfiguration": {
                "healthyThreshold": 1,
                "interval": 5,
                "path": "/",
                "protocol": "TCP",
                "timeout": 2,
                "unhealthyThreshold": 5,
            },
            "instanceConfiguration": {"cpu": "1024", "memory": "2048"},
            "networkConfiguration": {"ipAddressType": "IPV4"},
            "sourceConfiguration": {
                "autoDeploymentsEnabled": True,
                "imageRepository": {"imageConfiguration": {"port": "8080"}},
            },
        },
        computed=frozenset(
            {
                "autoScalingConfigurationArn",
                "healthCheckConfiguration",
                "instanceConfiguration",
                "networkConfiguration",
                "networkConfiguration.egressConfiguration",
                "networkConfiguration.ingressConfiguration",
                "region",
            }
        ),
        spellings={"instanceConfiguration.cpu": _units, "instanceConfiguration.memory": _units},
    ),
    ResourceType(
        token="aws:apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion",
        title="App Runner AutoScaling Configuration Version",
        service="apprunner",
        create=_create_scaling,
        read=_read_scaling,
        update=_update_scaling,
        delete=_delete_scaling,
        replaces=frozenset({"autoScalingConfigurationName", "maxConcurrency", "maxSize", "minSize", "region"}),
        defaults={"maxConcurrency": 100, "maxSize": 25, "minSize": 1},
        computed=frozenset({"region"}),
    ),
)
