"""What the three runtimes need in AWS: the objects of the program's runtimes, and what the controller asks them.

Comes in: an environment's ground. Goes out: grants. By the names that the program gives where a name is in the ARN, by
the environment's tags where AWS makes the name up; `*` only for calls that know no resource.
"""

from stacks.bootstrap.ground import Ground
from stacks.bootstrap.statements import Grant

_SECURITY_GROUPS = ("ec2:CreateSecurityGroup", "ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress")
_BALANCING = ("CreateLoadBalancer", "CreateTargetGroup", "CreateListener", "CreateRule")


def image_grants(ground: Ground) -> tuple[Grant, ...]:
    """The environment's own repositories, and those from which its images come."""
    look = (
        *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImageScanFindings"),
        *("ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:GetDownloadUrlForLayer", "ecr:ListImages"),
    )
    push = ("ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage")
    return (
        Grant("Registry", ("*",), reads=("ecr:GetAuthorizationToken",)),
        Grant(
            "Images",
            ground.repositories(ground.stage.name),
            reads=(*look, "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource"),
            writes=(
                *(*push, "ecr:BatchDeleteImage", "ecr:CreateRepository", "ecr:DeleteRepository"),
                *("ecr:PutLifecyclePolicy", "ecr:DeleteLifecyclePolicy", "ecr:PutImageTagMutability"),
                *("ecr:PutImageScanningConfiguration", "ecr:TagResource", "ecr:UntagResource"),
            ),
        ),
        Grant("ImagesBefore", ground.source(), reads=look),
        # The tag by which retention keeps what is pinned.
        Grant("ImagesBorrowed", ground.repositories(*ground.borrowed), reads=look, writes=("ecr:PutImage",)),
    )


def app_runner_grants(ground: Ground) -> tuple[Grant, ...]:
    """Services and what belongs to them."""
    kinds = ("autoscalingconfiguration", "vpcconnector", "vpcingressconnection", "observabilityconfiguration")
    objects = (
        "Service",
        "AutoScalingConfiguration",
        "VpcConnector",
        "VpcIngressConnection",
        "ObservabilityConfiguration",
    )
    return (
        Grant("AppRunnerLists", ("*",), reads=tuple(f"apprunner:List{each}s" for each in objects)),
        Grant(
            "AppRunner",
            ground.here("apprunner", f"service/{ground.each}", *(f"{kind}/{ground.short}" for kind in kinds)),
            reads=(
                *(f"apprunner:Describe{each}" for each in objects),
                *("apprunner:DescribeCustomDomains", "apprunner:ListOperations", "apprunner:ListTagsForResource"),
            ),
            writes=(
                *(f"apprunner:{verb}{each}" for verb in ("Create", "Delete") for each in objects),
                *("apprunner:UpdateService", "apprunner:UpdateVpcIngressConnection"),
                *("apprunner:AssociateCustomDomain", "apprunner:DisassociateCustomDomain"),
                *("apprunner:TagResource", "apprunner:UntagResource"),
            ),
        ),
    )


def ecs_grants(ground: Ground) -> tuple[Grant, ...]:
    """The environment's cluster and all in it, with its scaling."""
    inside = (f"{kind}/{ground.own}/*" for kind in ("service", "service-deployment", "service-revision", "task"))
    scaling = ground.here("application-autoscaling", "scalable-target/*")
    scale = ("RegisterScalableTarget", "DeregisterScalableTarget", "PutScalingPolicy", "DeleteScalingPolicy")
    ecs_alone = {"application-autoscaling:service-namespace": "ecs"}
    return (
        Grant("EcsLists", ("*",), reads=("ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions")),
        Grant("EcsTasks", ground.here("ecs", f"container-instance/{ground.own}/*"), reads=("ecs:ListTasks",)),
        Grant(
            "Ecs",
            ground.here("ecs", f"cluster/{ground.own}", *inside, f"task-definition/{ground.each}"),
            reads=(
                *("ecs:DescribeClusters", "ecs:DescribeServices", "ecs:DescribeExpressGatewayService"),
                *("ecs:DescribeServiceDeployments", "ecs:ListServiceDeployments", "ecs:DescribeServiceRevisions"),
                *("ecs:DescribeTasks", "ecs:ListTagsForResource"),
            ),
            writes=(
                *("ecs:CreateCluster", "ecs:UpdateCluster", "ecs:UpdateClusterSettings", "ecs:DeleteCluster"),
                *("ecs:PutClusterCapacityProviders", "ecs:RegisterTaskDefinition", "ecs:CreateService"),
                *("ecs:UpdateService", "ecs:DeleteService", "ecs:CreateExpressGatewayService"),
                *("ecs:UpdateExpressGatewayService", "ecs:DeleteExpressGatewayService"),
                *("ecs:StopServiceDeployment", "ecs:TagResource", "ecs:UntagResource"),
            ),
        ),
        Grant(
            "ScalingLists",
            ("*",),
            reads=tuple(f"application-autoscaling:Describe{each}" for each in ("ScalableTargets", "ScalingPolicies")),
        ),
        Grant("ScalingTags", scaling, reads=("application-autoscaling:ListTagsForResource",)),
        Grant(
            "ScalingMade",
            scaling,
            writes=("application-autoscaling:RegisterScalableTarget", "application-autoscaling:TagResource"),
            condition={"StringEquals": ground.tagged("RequestTag")},
        ),
        Grant(
            "Scaling",
            scaling,
            writes=tuple(f"application-autoscaling:{each}" for each in scale),
            condition={"StringEquals": {**ground.tagged("ResourceTag"), **ecs_alone}},
        ),
        Grant(
            "ScalingUntagged",
            scaling,
            writes=("application-autoscaling:UntagResource",),
            condition=ground.ours(),
        ),
    )


def network_grants(ground: Ground) -> tuple[Grant, ...]:
    """Security groups: made with the environment's tags, changed only with them."""
    groups, rules = ground.here("ec2", "security-group/*"), ground.here("ec2", "security-group-rule/*")
    created = {"ec2:CreateAction": [each.partition(":")[2] for each in _SECURITY_GROUPS]}
    looks = ("SecurityGroups", "SecurityGroupRules", "Vpcs", "Subnets", "NetworkInterfaces", "VpcEndpoints")
    change = (
        *("ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress"),
        *("ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress", "ec2:ModifySecurityGroupRules"),
    )
    return (
        Grant("Network", ("*",), reads=tuple(f"ec2:Describe{each}" for each in looks)),
        Grant("GroupInVpc", ground.here("ec2", "vpc/*"), writes=("ec2:CreateSecurityGroup",)),
        Grant("GroupMade", groups, writes=("ec2:CreateSecurityGroup",), condition=ground.made()),
        Grant(
            "GroupTags",
            (*groups, *rules),
            writes=("ec2:CreateTags",),
            condition={"StringEquals": {**ground.tagged("RequestTag"), **created}},
        ),
        Grant(
            "GroupTagsChanged",
            (*groups, *rules),
            writes=("ec2:CreateTags", "ec2:DeleteTags"),
            condition=ground.ours(),
        ),
        Grant("Group", groups, writes=(*change, "ec2:DeleteSecurityGroup"), condition=ground.ours()),
        # The group of a rule is asked, too, so a rule alone opens nothing.
        Grant("GroupRules", rules, writes=change),
    )


def balancing_grants(ground: Ground) -> tuple[Grant, ...]:
    """Load balancers, target groups, listeners and rules: made with the environment's tags, changed only with them."""
    named = (f"loadbalancer/app/{ground.short}", f"listener/app/{ground.short}", f"listener-rule/app/{ground.short}")
    objects = ground.here("elasticloadbalancing", *named, "targetgroup/*")
    looks = (
        *("LoadBalancers", "LoadBalancerAttributes", "CapacityReservation", "TargetGroups", "TargetGroupAttributes"),
        *("TargetHealth", "Listeners", "ListenerAttributes", "ListenerCertificates", "Rules", "Tags"),
    )
    changes = (
        *("ModifyLoadBalancerAttributes", "SetSecurityGroups", "SetSubnets", "SetIpAddressType"),
        *("ModifyTargetGroup", "ModifyTargetGroupAttributes", "ModifyListener", "ModifyListenerAttributes"),
        *("ModifyRule", "SetRulePriorities", "DeleteLoadBalancer", "DeleteTargetGroup", "DeleteListener"),
        *("DeleteRule", "AddTags", "RemoveTags", "CreateListener", "CreateRule"),
    )
    tagging = {"elasticloadbalancing:CreateAction": list(_BALANCING)}
    return (
        Grant("Balancing", ("*",), reads=tuple(f"elasticloadbalancing:Describe{each}" for each in looks)),
        Grant(
            "BalancingMade",
            objects,
            writes=("elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"),
            condition=ground.made(),
        ),
        Grant(
            "BalancingTags",
            objects,
            writes=("elasticloadbalancing:AddTags",),
            condition={"StringEquals": {**ground.tagged("RequestTag"), **tagging}},
        ),
        Grant(
            "BalancingChanged",
            objects,
            writes=tuple(f"elasticloadbalancing:{each}" for each in changes),
            condition=ground.ours(),
        ),
    )
