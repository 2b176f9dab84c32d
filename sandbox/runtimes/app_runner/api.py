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
            "CreateVpcConnector": at_once(control.connectors.create),
            "DescribeVpcConnector": at_once(control.connectors.describe),
            "DeleteVpcConnector": at_once(control.connectors.delete),
            "ListVpcConnectors": at_once(control.connectors.list_all),
            "CreateVpcIngressConnection": at_once(control.ingress.create),
            "DescribeVpcIngressConnection": at_once(control.ingress.describe),
            "UpdateVpcIngressConnection": at_once(control.ingress.update),
            "DeleteVpcIngressConnection": at_once(control.ingress.delete),
            "ListVpcIngressConnections": at_once(control.ingress.list_all),
            "AssociateCustomDomain": at_once(control.domains.associate),
            "DescribeCustomDomains": at_once(control.domains.describe),
            "DisassociateCustomDomain": at_once(control.domains.disassociate),
            "CreateObservabilityConfiguration": at_once(control.observability.create),
            "DescribeObservabilityConfiguration": at_once(control.observability.describe),
            "DeleteObservabilityConfiguration": at_once(control.observability.delete),
            "ListObservabilityConfigurations": at_once(control.observability.list_all),
        },
    )
