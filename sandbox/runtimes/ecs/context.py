"""What every service of ECS shares, and the few words that all parts say of one.

Comes in: the store, the engine room, the load balancers' door, CloudWatch's alarms, EventBridge. Goes out: services,
deployments and events, changed and kept. Nothing is decided here.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

from sandbox.runtimes.copies import Surroundings
from sandbox.runtimes.ecs.alarms import Alarms
from sandbox.runtimes.ecs.definitions import Definitions
from sandbox.runtimes.ecs.store import Store
from sandbox.runtimes.ecs.values import Rollout, Service, new_id
from sandbox.runtimes.events import Events
from sandbox.runtimes.load_balancer.door import Door

_EVENTS = 100  # as many as AWS shows of a service


@dataclass(frozen=True)
class Context:
    """One for all services."""

    store: Store
    definitions: Definitions
    around: Surroundings
    door: Door
    alarms: Alarms
    events: Events

    def keep(self, service: Service) -> None:
        self.store.services[service.arn] = service
        self.store.save()

    def step(self, rollout: str, **changed: Any) -> Rollout:
        """The deployment, one step further."""
        after = replace(self.store.rollouts[rollout], updated=time.time(), **changed)
        self.store.rollouts[rollout] = after
        self.store.save()
        return after

    def say(self, service: str, text: str) -> None:
        """A line among the service's events."""
        known = self.store.services[service]
        event = (new_id(), time.time(), f"(service {known.name}) {text}")
        self.keep(replace(known, events=(event, *known.events)[:_EVENTS]))

    def tell(self, rollout: Rollout, name: str, reason: str) -> None:
        """An `ECS Deployment State Change`; `name` is the end of SERVICE_DEPLOYMENT_."""
        detail = {
            "eventType": "ERROR" if name == "FAILED" else "INFO",
            "eventName": f"SERVICE_DEPLOYMENT_{name}",
            "deploymentId": rollout.id,
            "updatedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "reason": reason,
        }
        self.events.tell("aws.ecs", "ECS Deployment State Change", [rollout.service], detail)
