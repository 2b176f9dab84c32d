"""What App Runner tells EventBridge when an operation is over.

Comes in: a service whose newest operation has ended. Goes out: an `AppRunner Service Operation Status Change`. A
deployment that was rolled back has failed, whatever the service's status says: that is the word to listen for.
"""

from collections.abc import Mapping

from sandbox.runtimes.app_runner.values import Service
from sandbox.runtimes.events import Events

_KINDS: Mapping[str, str] = {
    "CREATE_SERVICE": "CreateService",
    "UPDATE_SERVICE": "UpdateService",
    "START_DEPLOYMENT": "Deployment",
    "PAUSE_SERVICE": "PauseService",
    "RESUME_SERVICE": "ResumeService",
    "DELETE_SERVICE": "DeleteService",
}


def tell(events: Events, service: Service) -> None:
    """The end of the newest operation."""
    operation = service.operations[-1]
    well = operation.status == "SUCCEEDED"
    status = f"{_KINDS[operation.type]}{'CompletedSuccessfully' if well else 'Failed'}"
    detail = {
        "serviceName": service.name,
        "serviceId": service.id,
        "operationStatus": status,
        "message": f"Operation {operation.type} {operation.id} ended with {operation.status}.",
        "severity": "INFO" if well else "ERROR",
    }
    events.tell("aws.apprunner", "AppRunner Service Operation Status Change", [service.arn], detail)
