"""What Express Mode builds around a service: load balancer, target groups, rule, log group, the alarm that it watches.

Comes in: a name and a configuration. Goes out: their ARNs, really made in the sandbox, and taken away again. On AWS up
to 25 services share one load balancer and tell themselves apart by host name; here each has its own, because a name is
a host and a port.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sandbox.runtimes.ecs.context import Context
from sandbox.runtimes.ecs.values import new_id
from sandbox.runtimes.load_balancer.metrics import suffix
from sandbox.runtimes.refusal import Refusal

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import (
        DimensionTypeDef,
        MetricDataQueryTypeDef,
        MetricStatTypeDef,
        MetricTypeDef,
    )

Json = Mapping[str, Any]
_NOBODY = [
    {
        "Type": "fixed-response",
        "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": ""},
    }
]


async def build(context: Context, name: str, configuration: Json, *, log_group: str, region: str) -> dict[str, Any]:
    """Make all of them. Raises Refusal."""
    mark, door = new_id()[:12], context.door
    network = configuration["networkConfiguration"]
    made = await door.call(
        "CreateLoadBalancer", Name=f"ecs-express-{mark}", Subnets=network["subnets"], Scheme="internet-facing"
    )
    balancer = made["LoadBalancers"][0]
    groups = [await _group(context, f"ecs-gateway-{mark}-{number}", configuration) for number in (1, 2)]
    listener = await door.call(
        "CreateListener", LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTPS", Port=443,
        DefaultActions=_NOBODY, Certificates=[{"CertificateArn": f"arn:aws:acm:{region}:aws:certificate/{mark}"}],
    )  # fmt: skip
    listener_arn = listener["Listeners"][0]["ListenerArn"]
    weighted = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in zip(groups, (100, 0), strict=True)]
    rule = await door.call(
        "CreateRule", ListenerArn=listener_arn, Priority=1, Conditions=[{"Field": "path-pattern", "Values": ["*"]}],
        Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": weighted}}],
    )  # fmt: skip
    account = balancer["LoadBalancerArn"].split(":")[4]
    await context.around.telemetry.make_group(log_group)
    alarm = f"ecs-express-{name}-{mark}"
    await context.alarms.make(alarm, error_share([(balancer["LoadBalancerArn"], arn) for arn in groups]), threshold=1.0)
    return {
        "balancer": balancer["LoadBalancerArn"],
        "endpoint": balancer["DNSName"],
        "groups": groups,
        "listener": listener_arn,
        "rule": rule["Rules"][0]["RuleArn"],
        "alarm_name": alarm,
        "alarm": f"arn:aws:cloudwatch:{region}:{account}:alarm:{alarm}",
        "log_group": log_group,
        "log_group_arn": f"arn:aws:logs:{region}:{account}:log-group:{log_group}",
    }


async def heed(context: Context, group: str, configuration: Json) -> None:
    """A target group checks health as the configuration says from now on."""
    path = configuration["healthCheckPath"]
    await context.door.call("ModifyTargetGroup", TargetGroupArn=group, HealthCheckPath=path)


async def take_away(context: Context, parts: Json) -> None:
    """What is gone already is passed over. Logs are kept, as on AWS."""
    doomed = [
        ("DeleteRule", "RuleArn", parts["rule"]),
        ("DeleteListener", "ListenerArn", parts["listener"]),
        *(("DeleteTargetGroup", "TargetGroupArn", arn) for arn in parts["groups"]),
        ("DeleteLoadBalancer", "LoadBalancerArn", parts["balancer"]),
    ]
    for operation, member, arn in doomed:
        try:
            await context.door.call(operation, **{member: arn})
        except Refusal as refusal:
            if not refusal.code.endswith("NotFound"):
                raise
    await context.alarms.unmake(parts["alarm_name"])


async def _group(context: Context, name: str, configuration: Json) -> str:
    made = await context.door.call(
        "CreateTargetGroup", Name=name, Protocol="HTTP", Port=configuration["primaryContainer"]["containerPort"],
        VpcId="vpc-default", TargetType="ip", HealthCheckPath=configuration["healthCheckPath"],
        HealthCheckIntervalSeconds=30, HealthCheckTimeoutSeconds=5, HealthyThresholdCount=5, UnhealthyThresholdCount=2,
    )  # fmt: skip
    return str(made["TargetGroups"][0]["TargetGroupArn"])


def error_share(pairs: list[tuple[str, str]]) -> "list[MetricDataQueryTypeDef]":
    """The share of 4xx and 5xx in per cent, over load balancers and their target groups."""
    queries: list[MetricDataQueryTypeDef] = []
    names: dict[str, list[str]] = {"r": [], "c": [], "s": []}
    metrics = {"r": "RequestCount", "c": "HTTPCode_Target_4XX_Count", "s": "HTTPCode_Target_5XX_Count"}
    for number, (balancer, group) in enumerate(pairs):
        dimensions: list[DimensionTypeDef] = [
            {"Name": "LoadBalancer", "Value": suffix(balancer)},
            {"Name": "TargetGroup", "Value": suffix(group)},
        ]
        for letter, metric in metrics.items():
            names[letter].append(f"{letter}{number}")
            watched: MetricTypeDef = {
                "Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": dimensions,
            }  # fmt: skip
            stat: MetricStatTypeDef = {"Metric": watched, "Period": 60, "Stat": "Sum"}
            queries.append({"Id": f"{letter}{number}", "ReturnData": False, "MetricStat": stat})
    bad = " + ".join(f"FILL({each}, 0)" for each in names["c"] + names["s"])
    whole = " + ".join(f"FILL({each}, 0)" for each in names["r"])
    share = f"IF(({whole}) > 0, 100 * ({bad}) / ({whole}), 0)"
    return [{"Id": "share", "Expression": share, "Label": "4xx and 5xx, %", "ReturnData": True}, *queries]
