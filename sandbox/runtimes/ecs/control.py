"""ECS's control plane, put together from its parts.

Comes in: a store, the engine room, the load balancers' door. Goes out: clusters, task definitions, services and what is
asked of them, and one place to bring all back and to end all.
"""

from sandbox.runtimes.copies import Surroundings
from sandbox.runtimes.ecs.alarms import Alarms
from sandbox.runtimes.ecs.clusters import Clusters
from sandbox.runtimes.ecs.context import Context
from sandbox.runtimes.ecs.definitions import Definitions
from sandbox.runtimes.ecs.express import Express
from sandbox.runtimes.ecs.readings import Readings
from sandbox.runtimes.ecs.services import Services
from sandbox.runtimes.ecs.store import Store
from sandbox.runtimes.events import Events
from sandbox.runtimes.load_balancer.door import Door


class ControlPlane:
    """Call `recover` once before the first operation; `prefix` is `arn:aws:ecs:<region>:<account>`."""

    def __init__(
        self, store: Store, around: Surroundings, prefix: str, *, door: Door, alarms: Alarms, events: Events
    ) -> None:
        self.clusters = Clusters(store, prefix)
        self.definitions = Definitions(store, prefix)
        context = Context(store, self.definitions, around, door, alarms, events)
        self.services = Services(context, self.clusters, prefix)
        self.express = Express(context, self.clusters, self.services, prefix)
        self.readings = Readings(context, self.clusters, self.services, self.express.managed)

    async def recover(self) -> None:
        """Bring back what was."""
        await self.services.recover(self.express.watches())

    async def close(self) -> None:
        """End every task; what goes on is recovered at the next start."""
        await self.express.close()
        await self.services.close()
