"""What alerts and logs need in AWS: the topic and its key, alarms, events, the dashboard, Slack, log groups.

Comes in: an environment's ground. Goes out: grants, and what no role of an environment may do to keys of others. What
an application wrote into its log is read after a release alone, never for a pull request.
"""

from stacks import names
from stacks.bootstrap.ground import Ground
from stacks.bootstrap.statements import Grant, Statement, deny

# What gives power over a key. None of it uses one.
_KEY_CHANGES = (
    *("CreateAlias", "DeleteAlias", "UpdateAlias", "PutKeyPolicy", "ScheduleKeyDeletion", "CancelKeyDeletion"),
    *("DisableKey", "EnableKey", "EnableKeyRotation", "DisableKeyRotation", "UpdateKeyDescription"),
    *("TagResource", "UntagResource", "CreateGrant"),
)


def alarm_grants(ground: Ground) -> tuple[Grant, ...]:
    """Alarms, the dashboard, and the rules that hear of failed deployments."""
    tagging = ("TagResource", "UntagResource")
    return (
        Grant("AlarmList", ("*",), reads=("cloudwatch:DescribeAlarms",)),
        Grant(
            "Alarms",
            # The second are those by which Application Auto Scaling follows a target; it makes them itself.
            ground.here("cloudwatch", f"alarm:{ground.each}", f"alarm:TargetTracking-service/{ground.own}/*"),
            reads=("cloudwatch:ListTagsForResource",),
            writes=tuple(
                f"cloudwatch:{each}" for each in ("PutMetricAlarm", "PutCompositeAlarm", "DeleteAlarms", *tagging)
            ),
        ),
        Grant(
            "Dashboard",
            ground.everywhere("cloudwatch", f"dashboard/{names.dashboard_name(ground.stage.name)}"),
            reads=("cloudwatch:GetDashboard",),
            writes=("cloudwatch:PutDashboard", "cloudwatch:DeleteDashboards"),
        ),
        Grant(
            "Events",
            ground.here("events", f"rule/{ground.each}"),
            reads=("events:DescribeRule", "events:ListTargetsByRule", "events:ListTagsForResource"),
            writes=tuple(
                f"events:{each}" for each in ("PutRule", "DeleteRule", "PutTargets", "RemoveTargets", *tagging)
            ),
        ),
    )


def topic_grants(ground: Ground) -> tuple[Grant, ...]:
    """The topic, its subscriptions, and the Slack channel that reads it."""
    topic = names.topic_name(ground.stage.name)
    channel = f"chat-configuration/slack-channel/{names.slack_name(ground.stage.name)}"
    tagging = ("TagResource", "UntagResource")
    return (
        Grant(
            "Topic",
            ground.here("sns", topic, f"{topic}:*"),
            reads=(
                *("sns:GetTopicAttributes", "sns:ListTagsForResource", "sns:ListSubscriptionsByTopic"),
                "sns:GetSubscriptionAttributes",
            ),
            writes=(
                *("sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:Unsubscribe"),
                *("sns:SetSubscriptionAttributes", "sns:Publish", *(f"sns:{each}" for each in tagging)),
            ),
        ),
        Grant("Chats", ("*",), reads=("chatbot:DescribeSlackChannelConfigurations", "chatbot:ListTagsForResource")),
        Grant("ChatMade", ("*",), writes=("chatbot:CreateSlackChannelConfiguration",), condition=ground.made()),
        Grant(
            "Chat",
            ground.everywhere("chatbot", channel),
            writes=tuple(
                f"chatbot:{each}"
                for each in ("UpdateSlackChannelConfiguration", "DeleteSlackChannelConfiguration", *tagging)
            ),
        ),
    )


def log_grants(ground: Ground) -> tuple[Grant, ...]:
    """Log groups of services; App Runner and ECS make more of them by themselves, which are only read."""
    ours = f"log-group:/{names.PROJECT}/{ground.stage.name}/*"
    theirs = (f"log-group:/aws/apprunner/{ground.each}", f"log-group:/aws/ecs/{ground.own}/*")
    change = ("CreateLogGroup", "DeleteLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy")
    return (
        Grant("LogList", ("*",), reads=("logs:DescribeLogGroups",)),
        Grant(
            "Logs",
            ground.here("logs", ours),
            reads=("logs:ListTagsForResource",),
            writes=tuple(f"logs:{each}" for each in (*change, "TagResource", "UntagResource")),
        ),
        Grant("LogLines", ground.here("logs", ours, *theirs), writes=("logs:DescribeLogStreams", "logs:GetLogEvents")),
    )


def key_grants(ground: Ground) -> tuple[Grant, ...]:
    """The key of the topic, by its tags and its alias: AWS makes up its name."""
    keys = ground.here("kms", "key/*")
    aliases = ground.here("kms", names.alerts_key_alias(ground.stage.name))
    change = tuple(f"kms:{each}" for each in _KEY_CHANGES if each != "CreateGrant")
    return (
        Grant("KeyList", ("*",), reads=("kms:ListAliases", "kms:ListKeys")),
        Grant(
            "Keys",
            keys,
            reads=("kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"),
        ),
        Grant("KeyMade", ("*",), writes=("kms:CreateKey", "kms:TagResource"), condition=ground.made()),
        Grant("KeyAlias", aliases, writes=("kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias")),
        Grant("Key", keys, writes=change, condition=ground.ours()),
        # SNS encrypts what the controller publishes.
        Grant("KeyUsed", keys, writes=("kms:Decrypt", "kms:GenerateDataKey"), condition=ground.ours()),
    )


def keys_of_others(ground: Ground) -> list[Statement]:
    """A new key has to be tagged by whoever makes it, and a tag gives power: never over a key that is somebody's.

    Somebody's is what has another alias than ours, or tags of another environment, of another tool or of bootstrap.
    """
    keys = ground.here("kms", "key/*")
    change = [f"kms:{each}" for each in _KEY_CHANGES]
    alias = names.alerts_key_alias(ground.stage.name)
    return [
        deny("KeysWithOtherAlias", change, keys, {"ForAnyValue:StringNotEquals": {"kms:ResourceAliases": alias}}),
        *(
            deny(
                f"KeysWithOther{name}",
                change,
                keys,
                {"StringNotEquals": {key: value}, "Null": {key: "false"}},
            )
            for name, (key, value) in zip(("Manager", "Environment"), ground.tagged("ResourceTag").items(), strict=True)
        ),
    ]
