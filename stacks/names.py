"""Physical names and tags, computed in one place so that validation and creation cannot disagree.

Comes in: the environment and the service. Goes out: the names AWS sees and the tags every resource carries.
Names are explicit because a role that deploys is limited to this prefix, and because an object whose creation
was interrupted can then be found again by its name.
"""

from dataclasses import dataclass

PROJECT = "release-controller"
LONGEST_SERVICE = 40  # ServiceName of App Runner
LONGEST_SCALING = 32  # AutoScalingConfigurationName of App Runner
LONGEST_BALANCER = 32  # Name of a load balancer
LONGEST_NAME = 64  # RoleName of IAM, Name of a rule of EventBridge
EXPRESS = "-express"  # Express Mode's names: beside those of Fargate, in the same cluster
# What such a name has after the service's.
_LONGEST_PURPOSE = {"ecs-express": len(f"{EXPRESS}-infrastructure")}
_USUAL_PURPOSE = len("-failed-deployment")


@dataclass(frozen=True)
class Place:
    """One service in one environment; `suffix` tells apart what two runtimes of it have while it moves between them."""

    environment: str
    service: str
    suffix: str = ""

    @property
    def name(self) -> str:
        """What repository, runtime, roles and alarms are called: `release-controller-staging-web`."""
        return f"{PROJECT}-{self.environment}-{self.service}{self.suffix}"

    @property
    def scaling_name(self) -> str:
        """Without the project: scaling configurations and load balancers may have 32 characters."""
        return f"{self.environment}-{self.service}"

    @property
    def log_group(self) -> str:
        """Where an ECS service's instances write; App Runner names its own."""
        return f"/{PROJECT}/{self.environment}/{self.service}{self.suffix}"

    def excess(self, runtime: str) -> int:
        """By how many characters the service's name is too long for a runtime; at most 0 when it fits."""
        limits = {
            "app-runner": max(len(self.name) - LONGEST_SERVICE, len(self.scaling_name) - LONGEST_SCALING),
            "fargate": len(self.scaling_name) - LONGEST_BALANCER,
        }
        purpose = _LONGEST_PURPOSE.get(runtime, _USUAL_PURPOSE)
        return max(limits.get(runtime, 0), len(self.name) + purpose - LONGEST_NAME)

    @property
    def tags(self) -> dict[str, str]:
        """Those of the environment, and the service."""
        return tags(self.environment) | {"service": self.service}


def topic_name(environment: str) -> str:
    """What the alert topic is called: `release-controller-staging`."""
    return f"{PROJECT}-{environment}"


def cluster_name(environment: str) -> str:
    """What the ECS cluster of an environment is called: `release-controller-staging`."""
    return f"{PROJECT}-{environment}"


def connector_name(environment: str) -> str:
    """What App Runner's way into the network is called: `release-controller-staging`, in 40 characters at most."""
    return f"{PROJECT}-{environment}"[:40].rstrip("-")


def tags(environment: str) -> dict[str, str]:
    """For cost and search, on what all services of an environment share."""
    return {"managed-by": PROJECT, "environment": environment}


def alerts_key_alias(environment: str) -> str:
    """By which the key of the alert topic is found: `alias/release-controller-staging-alerts`."""
    return f"alias/{PROJECT}-{environment}-alerts"


def slack_name(environment: str) -> str:
    """What the Slack configuration, its role and its guardrail are called: `release-controller-staging-slack`."""
    return f"{PROJECT}-{environment}-slack"


def dashboard_name(environment: str) -> str:
    """What the dashboard is called: `release-controller-staging`."""
    return f"{PROJECT}-{environment}"
