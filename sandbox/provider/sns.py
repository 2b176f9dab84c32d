"""SNS: topic, topic policy, subscription.

Comes in: properties by the provider's names. Goes out: calls to the `sns` API. SNS keeps a topic as a map of text
attributes; `_ATTRIBUTES` says which property is which.
"""

import json
import time

from sandbox.provider.aws import found, retag, tag_list, tag_map
from sandbox.provider.resource import Client, Failed, ResourceType, Update, document
from sandbox.provider.values import Properties

_ATTRIBUTES = {
    "displayName": "DisplayName",
    "policy": "Policy",
    "deliveryPolicy": "DeliveryPolicy",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "fifoTopic": "FifoTopic",
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "signatureVersion": "SignatureVersion",
    "tracingConfig": "TracingConfig",
}
_FLAGS = frozenset({"fifoTopic", "contentBasedDeduplication"})

_SUBSCRIPTION = {
    "deliveryPolicy": "DeliveryPolicy",
    "filterPolicy": "FilterPolicy",
    "filterPolicyScope": "FilterPolicyScope",
    "rawMessageDelivery": "RawMessageDelivery",
    "redrivePolicy": "RedrivePolicy",
    "subscriptionRoleArn": "SubscriptionRoleArn",
}
_TOPIC_ONLY = ("application", "firehose", "http", "lambda", "sqs")
_POLL_SECONDS = 0.2


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _create(client: Client, inputs: Properties) -> str:
    attributes = {
        key: _text(inputs[name]) for name, key in _ATTRIBUTES.items() if inputs.get(name) not in (None, False, "")
    }
    tags = tag_list(inputs.get("tags"))
    return str(client.create_topic(Name=inputs["name"], Attributes=attributes, Tags=tags)["TopicArn"])


def _read(client: Client, arn: str, _known: Properties) -> Properties | None:
    answer = found(client.get_topic_attributes, TopicArn=arn)
    if answer is None:
        return None
    told = answer["Attributes"]
    outputs: Properties = {name: told.get(key) or None for name, key in _ATTRIBUTES.items()}
    outputs |= {name: told.get(_ATTRIBUTES[name], "false") == "true" for name in _FLAGS}
    outputs["signatureVersion"] = int(told["SignatureVersion"]) if "SignatureVersion" in told else None
    return outputs | {
        "arn": arn,
        "name": arn.rpartition(":")[2],
        "owner": told["Owner"],
        "tags": tag_map(client.list_tags_for_resource(ResourceArn=arn)["Tags"]),
    }


def _update(client: Client, update: Update) -> None:
    for name in sorted(update.changed & _ATTRIBUTES.keys()):
        value = _text(update.news.get(name, ""))
        client.set_topic_attributes(TopicArn=update.id, AttributeName=_ATTRIBUTES[name], AttributeValue=value)
    retag(
        update,
        lambda tags: client.tag_resource(ResourceArn=update.id, Tags=tags),
        lambda keys: client.untag_resource(ResourceArn=update.id, TagKeys=keys),
    )


def _delete(client: Client, arn: str, _known: Properties) -> None:
    found(client.delete_topic, TopicArn=arn)


def _set_policy(client: Client, arn: str, policy: str) -> None:
    client.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)


def _create_policy(client: Client, inputs: Properties) -> str:
    _set_policy(client, inputs["arn"], inputs["policy"])
    return str(inputs["arn"])


def _update_policy(client: Client, update: Update) -> None:
    _set_policy(client, update.id, update.news["policy"])


def _read_policy(client: Client, arn: str, _known: Properties) -> Properties | None:
    answer = found(client.get_topic_attributes, TopicArn=arn)
    if answer is None or not answer["Attributes"].get("Policy"):
        return None
    told = answer["Attributes"]
    return {"arn": arn, "owner": told["Owner"], "policy": told["Policy"]}


def _delete_policy(client: Client, arn: str, known: Properties) -> None:
    """A topic always has a policy: deleting ours means the one that AWS gives to a new topic."""
    owner = known.get("owner") or arn.split(":")[4]
    found(
        client.set_topic_attributes,
        TopicArn=arn,
        AttributeName="Policy",
        AttributeValue=_default_policy(arn, owner),
    )


def _default_policy(arn: str, owner: str) -> str:
    actions = [
        f"SNS:{name}" for name in ("GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission",
                                   "DeleteTopic", "Subscribe", "ListSubscriptionsByTopic", "Publish")
    ]  # fmt: skip
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": actions,
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": owner}},
    }
    return json.dumps({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]})


def _subscribe(client: Client, inputs: Properties) -> str:
    attributes = {
        key: _text(inputs[name]) for name, key in _SUBSCRIPTION.items() if inputs.get(name) not in (None, "", False)
    }
    where = {"Protocol": inputs["protocol"], "Endpoint": inputs["endpoint"]}
    answer = client.subscribe(TopicArn=inputs["topic"], Attributes=attributes, ReturnSubscriptionArn=True, **where)
    arn = str(answer["SubscriptionArn"])
    if not arn.startswith("arn:"):
        # AWS gives the ARN because we ask for it; ministack 1.5.33 says "pending confirmation" and lists the ARN.
        arn = _listed(client, inputs["topic"], where)
    if inputs.get("endpointAutoConfirms"):
        _await_confirmation(client, arn, 60.0 * inputs.get("confirmationTimeoutInMinutes", 1))
    return arn


def _listed(client: Client, topic: str, where: dict[str, str]) -> str:
    pages = client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    arns = [
        str(one["SubscriptionArn"])
        for page in pages
        for one in page["Subscriptions"]
        if {name: one[name] for name in where} == where
    ]
    if not arns:
        raise Failed(f"looking for the subscription of {where['Endpoint']} to {topic}: it is not listed")
    return arns[-1]


def _await_confirmation(client: Client, arn: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while client.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"] != "false":
        if time.monotonic() > deadline:
            raise Failed(f"waiting for SNS Topic Subscription ({arn}) confirmation: timeout after {timeout:.0f}s")
        time.sleep(_POLL_SECONDS)


def _read_subscription(client: Client, arn: str, _known: Properties) -> Properties | None:
    answer = found(client.get_subscription_attributes, SubscriptionArn=arn)
    if answer is None:
        return None
    told = answer["Attributes"]
    outputs: Properties = {name: told.get(key) or None for name, key in _SUBSCRIPTION.items()}
    return outputs | {
        "arn": arn,
        "topic": told["TopicArn"],
        "protocol": told["Protocol"],
        "endpoint": told["Endpoint"],
        "ownerId": told["Owner"],
        "rawMessageDelivery": told.get("RawMessageDelivery") == "true",
        "pendingConfirmation": told.get("PendingConfirmation") == "true",
        "confirmationWasAuthenticated": told.get("ConfirmationWasAuthenticated") == "true",
    }


def _update_subscription(client: Client, update: Update) -> None:
    for name in sorted(update.changed & _SUBSCRIPTION.keys()):
        client.set_subscription_attributes(
            SubscriptionArn=update.id,
            AttributeName=_SUBSCRIPTION[name],
            AttributeValue=_text(update.news.get(name, "")),
        )


def _unsubscribe(client: Client, arn: str, _known: Properties) -> None:
    found(client.unsubscribe, SubscriptionArn=arn)


TYPES = (
    ResourceType(
        token="aws:sns/topic:Topic",
        title="SNS Topic",
        service="sns",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        replaces=frozenset({"name", "fifoTopic", "region"}),
        auto_named=True,
        computed=frozenset({"policy", "signatureVersion", "tracingConfig", "region"}),
        spellings={"policy": document, "deliveryPolicy": document},
        unsupported=frozenset(
            {"namePrefix", "archivePolicy", "fifoThroughputScope", "maximumMessageSize"}
            | {
                f"{kind}{end}"
                for kind in _TOPIC_ONLY
                for end in ("FailureFeedbackRoleArn", "SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate")
            }
        ),
    ),
    ResourceType(
        token="aws:sns/topicPolicy:TopicPolicy",
        title="SNS Topic Policy",
        service="sns",
        create=_create_policy,
        read=_read_policy,
        update=_update_policy,
        delete=_delete_policy,
        replaces=frozenset({"arn", "region"}),
        computed=frozenset({"region"}),
        spellings={"policy": document},
    ),
    ResourceType(
        token="aws:sns/topicSubscription:TopicSubscription",
        title="SNS Topic Subscription",
        service="sns",
        create=_subscribe,
        read=_read_subscription,
        update=_update_subscription,
        delete=_unsubscribe,
        replaces=frozenset({"topic", "protocol", "endpoint", "region"}),
        defaults={
            "confirmationTimeoutInMinutes": 1,
            "endpointAutoConfirms": False,
            "rawMessageDelivery": False,
        },
        computed=frozenset({"filterPolicyScope", "region"}),
        kept=frozenset({"confirmationTimeoutInMinutes", "endpointAutoConfirms"}),
        spellings={"filterPolicy": document, "redrivePolicy": document, "deliveryPolicy": document},
        unsupported=frozenset({"replayPolicy"}),
    ),
)
