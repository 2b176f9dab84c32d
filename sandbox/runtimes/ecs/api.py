"""ECS's operations by name, for the wire.

Comes in: its parts. Goes out: what `runtimes.api` serves under `AmazonEC2ContainerServiceV20141113.<operation>`.
What is not named here does not exist in the sandbox, and is refused as such.
"""

from sandbox.runtimes.api import JsonService, at_once
from sandbox.runtimes.ecs.control import ControlPlane


def ecs(control: ControlPlane) -> JsonService:
    """ECS, API version 2014-11-13."""
    clusters, definitions = control.clusters, control.definitions
    services, readings = control.services, control.readings
    return JsonService(
        service="ecs",
        called="ECS",
        invalid="InvalidParameterException",
        broken="ServerException",
        said="message",
        operations={
            "CreateCluster": at_once(clusters.create),
            "DescribeClusters": at_once(clusters.describe),
            "UpdateCluster": at_once(clusters.update),
            "UpdateClusterSettings": at_once(clusters.update),
            "PutClusterCapacityProviders": at_once(clusters.update),
            "DeleteCluster": at_once(clusters.delete),
            "ListClusters": at_once(clusters.list_all),
            "RegisterTaskDefinition": at_once(definitions.register),
            "DescribeTaskDefinition": at_once(definitions.describe),
            "DeregisterTaskDefinition": at_once(definitions.deregister),
            "ListTaskDefinitions": at_once(definitions.list_all),
            "CreateService": services.create,
            "UpdateService": services.update,
            "DescribeServices": services.describe,
            "DeleteService": services.delete,
            "ListServices": services.list_all,
            "ListTasks": readings.list_tasks,
            "DescribeTasks": readings.describe_tasks,
            "ListServiceDeployments": readings.list_deployments,
            "DescribeServiceDeployments": readings.describe_deployments,
            "DescribeServiceRevisions": readings.describe_revisions,
            "StopServiceDeployment": readings.stop_deployment,
            "CreateExpressGatewayService": control.express.create,
            "UpdateExpressGatewayService": control.express.update,
            "DescribeExpressGatewayService": control.express.describe,
            "DeleteExpressGatewayService": control.express.delete,
            "TagResource": readings.tag,
            "UntagResource": readings.untag,
            "ListTagsForResource": readings.list_tags,
        },
    )
