"""App Runner's operations by name, for the wire.

Comes in: its control plane. Goes out: what `runtimes.api` serves under `AppRunner.<operation>`. What is not named here
does not exist in the sandbox, and is refused as such.
"""

from sandbox.runtimes.api import JsonService, at_once
from sandbox.runtimes.app_runner.control import ControlPlane


def app_runner(control: ControlPlane) -> JsonService:
    """App Runner, API version 2020-05-15."""
    return JsonService(
        service="apprunner",
        called="App Runner",
        invalid="InvalidRequestException",
        broken="InternalServiceErrorException",
        said="Message",
        operations={
            "CreateService": control.create,
            "DescribeService": control.describe,
            "UpdateService": control.update,
            "DeleteService": control.delete,
            "ListServices": control.list_services,
            "PauseService": control.pause,
            "ResumeService": control.resume,
            "StartDeployment": control.start_deployment,
            "ListOperations": control.list_operations,
            "TagResource": control.tag,
            "UntagResource": control.untag,
            "ListTagsForResource": control.list_tags,
            "CreateAutoScalingConfiguration": at_once(control.scaling.create),
            "DescribeAutoScalingConfiguration": at_once(control.scaling.describe),
            "DeleteAutoScalingConfiguration": at_once(control.scaling.delete),
            "ListAutoScalingConfigurations": at_once(control.scaling.list_all),
        },
    )
