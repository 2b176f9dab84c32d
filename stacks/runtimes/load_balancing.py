"""The load balancer of one Fargate service: who may reach it, what it listens on, where it leads.

Comes in: place, settings and ground. Goes out: target groups, listeners, the security group of the tasks, the address.
With a certificate it speaks HTTPS and HTTP only leads there; without one it speaks plain HTTP, which `releasectl
doctor` says. It never opens a task to anything but its load balancer.
"""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from stacks.names import Place
from stacks.runtimes.running import Ground
from stacks.service_settings import ServiceSettings

TLS = "ELBSecurityPolicy-TLS13-1-2-2021-06"
DRAIN = 30  # seconds for requests that are on the way to a task that goes


class LoadBalancing:
    """Not a component: its parts are the service's own."""

    def __init__(self, place: Place, settings: ServiceSettings, *, ground: Ground, parent: pulumi.Resource) -> None:
        self._place, self._parent = place, parent
        self._domain = None if ground.leaving else settings.domain
        self._private = settings.private and not ground.leaving
        self._shifts = settings.deployment.strategy != "rolling"
        entry, self.tasks = self._security(settings.port, ground.network.vpc)
        self._balancer = aws.lb.LoadBalancer(
            place.service,
            name=place.scaling_name,
            internal=self._private,
            load_balancer_type="application",
            security_groups=[entry],
            subnets=list(ground.network.load_balancer_subnets or ground.network.subnets),
            drop_invalid_header_fields=True,
            enable_deletion_protection=not ground.leaving,
            tags=place.tags,
            opts=self._options(protect=not ground.leaving),
        )
        self.suffix = self._balancer.arn_suffix
        colours = ("", "-green") if self._shifts else ("",)
        self.groups = [self._group(f"{place.service}{colour}", settings, ground.network.vpc) for colour in colours]
        self.listeners: list[pulumi.Resource] = []
        self._production = self._listen()

    @property
    def url(self) -> pulumi.Output[str]:
        """Of the team's own name where there is one: only for that the certificate is good."""
        if self._domain:
            return pulumi.Output.from_input(f"https://{self._domain.name}")
        return pulumi.Output.concat("http://", self._balancer.dns_name)

    @property
    def domain(self) -> Mapping[str, pulumi.Input[object]] | None:
        """What has to stand in DNS."""
        if not self._domain:
            return None
        target = self._balancer.dns_name
        records = [{"name": self._domain.name, "type": "CNAME", "value": target}]
        return {"name": self._domain.name, "target": target, "records": records}

    def attachment(
        self, container: str, settings: ServiceSettings, *, shifting_role: pulumi.Input[str] | None
    ) -> aws.ecs.ServiceLoadBalancerArgs:
        """How the service registers its tasks; with a role ECS also moves the traffic between the groups."""
        advanced = None
        if shifting_role is not None:
            advanced = aws.ecs.ServiceLoadBalancerAdvancedConfigurationArgs(
                alternate_target_group_arn=self.groups[1].arn,
                production_listener_rule=self._production or "",
                role_arn=shifting_role,
            )
        return aws.ecs.ServiceLoadBalancerArgs(
            container_name=container,
            container_port=settings.port,
            target_group_arn=self.groups[0].arn,
            advanced_configuration=advanced,
        )

    def _security(self, port: int, vpc: str) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        """Clients reach the load balancer, the load balancer the tasks, the tasks whatever they call by TLS."""
        entry, tasks = self._security_group("entry", vpc), self._security_group("tasks", vpc)
        reach = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"} if self._private else {"0.0.0.0/0"}
        for door in (443, 80) if self._domain else (80,):
            for position, network in enumerate(sorted(reach)):
                self._rule(f"clients-{door}-{position}", "Ingress", entry, port=door, cidr=network)
        self._rule("entry-tasks", "Egress", entry, port=port, other=tasks)
        self._rule("entry", "Ingress", tasks, port=port, other=entry)
        self._rule("tasks", "Egress", tasks, port=443, cidr="0.0.0.0/0")
        return entry, tasks

    def _security_group(self, purpose: str, vpc: str) -> pulumi.Output[str]:
        made = aws.ec2.SecurityGroup(
            f"{self._place.service}-{purpose}",
            name=f"{self._place.name}-{purpose}",
            description=f"{purpose} of {self._place.name}",
            vpc_id=vpc,
            tags=self._place.tags,
            opts=self._options(),
        )
        return made.id

    def _rule(
        self,
        name: str,
        way: str,
        group: pulumi.Output[str],
        *,
        port: int,
        cidr: str | None = None,
        other: pulumi.Output[str] | None = None,
    ) -> None:
        declare = aws.vpc.SecurityGroupIngressRule if way == "Ingress" else aws.vpc.SecurityGroupEgressRule
        declare(
            f"{self._place.service}-{name}",
            security_group_id=group,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            cidr_ipv4=cidr,
            referenced_security_group_id=other,
            tags=self._place.tags,
            opts=self._options(),
        )

    def _group(self, name: str, settings: ServiceSettings, vpc: str) -> aws.lb.TargetGroup:
        """Named by the provider: one that is replaced must be able to stand beside its successor."""
        return aws.lb.TargetGroup(
            name,
            port=settings.port,
            protocol="HTTP",
            target_type="ip",
            vpc_id=vpc,
            deregistration_delay=DRAIN,
            health_check=aws.lb.TargetGroupHealthCheckArgs(
                path=settings.health_path,
                interval=10,
                timeout=5,
                healthy_threshold=2,
                unhealthy_threshold=3,
                matcher="200-399",
            ),
            tags=self._place.tags,
            opts=self._options(),
        )

    def _listen(self) -> pulumi.Output[str] | None:
        """The listeners; the rule that ECS moves the traffic by, None where it moves none."""
        main = self._serve("https", 443) if self._domain else self._serve("http", 80)
        if self._domain:
            self._listener(
                "http",
                80,
                aws.lb.ListenerDefaultActionArgs(
                    type="redirect",
                    redirect=aws.lb.ListenerDefaultActionRedirectArgs(
                        protocol="HTTPS", port="443", status_code="HTTP_301"
                    ),
                ),
            )
        if not self._shifts:
            return None
        rule = aws.lb.ListenerRule(
            self._place.service,
            listener_arn=main,
            priority=1,
            conditions=[
                aws.lb.ListenerRuleConditionArgs(
                    path_pattern=aws.lb.ListenerRuleConditionPathPatternArgs(values=["/*"])
                )
            ],
            actions=[
                aws.lb.ListenerRuleActionArgs(
                    type="forward",
                    forward=aws.lb.ListenerRuleActionForwardArgs(
                        target_groups=[
                            aws.lb.ListenerRuleActionForwardTargetGroupArgs(arn=group.arn, weight=weight)
                            for group, weight in zip(self.groups, (100, 0), strict=True)
                        ]
                    ),
                )
            ],
            tags=self._place.tags,
            # ECS moves the weights; they are no drift.
            opts=pulumi.ResourceOptions.merge(self._options(), pulumi.ResourceOptions(ignore_changes=["actions"])),
        )
        self.listeners.append(rule)
        return rule.arn

    def _serve(self, name: str, port: int) -> pulumi.Output[str]:
        action = aws.lb.ListenerDefaultActionArgs(type="forward", target_group_arn=self.groups[0].arn)
        return self._listener(name, port, action)

    def _listener(self, name: str, port: int, action: aws.lb.ListenerDefaultActionArgs) -> pulumi.Output[str]:
        secure = name == "https" and self._domain is not None
        made = aws.lb.Listener(
            f"{self._place.service}-{name}",
            load_balancer_arn=self._balancer.arn,
            port=port,
            protocol="HTTPS" if secure else "HTTP",
            ssl_policy=TLS if secure else None,
            certificate_arn=self._domain.certificate if secure and self._domain else None,
            default_actions=[action],
            tags=self._place.tags,
            opts=self._options(),
        )
        self.listeners.append(made)
        return made.arn

    def _options(self, *, protect: bool = False) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self._parent, protect=protect)
