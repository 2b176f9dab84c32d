"""Which load balancer and target groups AWS made for an Express service: CloudWatch's names of them.

Comes in: the ARN of a service that is there. Goes out: an `Ingress`. The provider does not tell, so ECS is asked,
while the program runs: read only, by two calls, with the credentials that the program has. In a preview of a service
that is not made yet nobody asks, because its ARN is not known.
"""

from dataclasses import dataclass

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from releasectl.errors import ControllerError


@dataclass(frozen=True)
class Ingress:
    """As CloudWatch's dimensions have them: `app/name/id`, and two of `targetgroup/name/id`."""

    load_balancer: str
    target_groups: tuple[str, str]


def ingress(arn: str) -> Ingress:
    """What serves the Express service `arn`. Raises ControllerError when AWS does not say."""
    client = boto3.client("ecs", region_name=arn.split(":")[3])
    try:
        service = client.describe_express_gateway_service(serviceArn=arn)["service"]
        revision = service["activeConfigurations"][0]["serviceRevisionArn"]
        found = client.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"][0]
        path = found["ecsManagedResources"]["ingressPaths"][0]
        groups = [one["arn"].rpartition(":")[2] for one in path["targetGroups"]]
        balancer = path["loadBalancer"]["arn"].rpartition(":loadbalancer/")[2]
    except (BotoCoreError, ClientError, KeyError, IndexError) as error:
        raise ControllerError(
            f"asking ECS for the load balancer of {arn}: {type(error).__name__}: {error}",
            "Check that the role may call ecs:DescribeExpressGatewayService and ecs:DescribeServiceRevisions.",
        ) from error
    # Before a first change of the release there may be one alone; twice the same is counted once by a highest value
    # and doubles both sides of a share.
    return Ingress(balancer, (groups[0], groups[-1]))
