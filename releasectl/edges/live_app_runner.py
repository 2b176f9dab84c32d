"""How App Runner is asked what it runs.

Comes in: what the program declares of a service. Goes out: status, digest and newest operation in an Observation, once
no operation is under way, and the name of the log group that App Runner makes by itself. It judges nothing: a
rollback is told in App Runner's own words. Its status is its word on health, too: RUNNING comes after its own check.
"""

import time
from dataclasses import replace

from releasectl.edges import aws
from releasectl.outputs import Service
from releasectl.verify import Observation, Operation

_IN_PROGRESS = "OPERATION_IN_PROGRESS"


def ask(region: str, service: Service, seen: Observation, *, patience: float, poll: float) -> Observation:
    """DescribeService and the newest operation, once no operation is under way any more."""
    client = aws.session(region).client("apprunner", config=aws.CONFIG)
    deadline = time.monotonic() + patience
    with aws.asking(f"describing {service.service}"):
        while True:
            described = client.describe_service(ServiceArn=service.service)["Service"]
            if described["Status"] != _IN_PROGRESS or time.monotonic() > deadline:
                break
            time.sleep(poll)
        newest = client.list_operations(ServiceArn=service.service, MaxResults=1)["OperationSummaryList"]
    status: str = described["Status"]
    image = described["SourceConfiguration"].get("ImageRepository", {}).get("ImageIdentifier", "")
    operation = next((Operation(item["Id"], item["Type"], item["Status"]) for item in newest), None)
    serves = None if status == _IN_PROGRESS else status == "RUNNING"
    return replace(seen, status=status, serves=serves, digest=image.rpartition("@")[2], operation=operation)


def log_group(service: Service) -> str:
    """Where the application's lines are: its name has the generated id of the service in it."""
    name, identifier = service.service.split("/")[-2:]
    return f"/aws/apprunner/{name}/{identifier}/application"
