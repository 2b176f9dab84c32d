"""Chatbot: a Slack channel of Amazon Q Developer in chat applications. Kept, and nothing is ever delivered.

Comes in: properties by the provider's names. Goes out: one parameter of the `ssm` API for each configuration, since no
emulator has the service: so it survives, can be read, changed by hand and deleted, and a preview of it is a true one.
No message reaches Slack from here, no workspace is asked, and the names of team and channel are made up.
"""

import json
import re

from sandbox.provider.aws import found
from sandbox.provider.resource import Client, Failed, ResourceType, Update
from sandbox.provider.values import Properties

_FOLDER = "/sandbox/chatbot"
# What AWS uses when a program names no guardrail; it allows everything.
_EVERYTHING = "arn:aws:iam::aws:policy/AdministratorAccess"
_KEPT = (
    "configurationName",
    "guardrailPolicyArns",
    "iamRoleArn",
    "loggingLevel",
    "slackChannelId",
    "slackTeamId",
    "snsTopicArns",
    "tags",
    "userAuthorizationRequired",
)


def _parameter(arn: str) -> str:
    return f"{_FOLDER}/{arn.rpartition('/')[2]}"


def _create(client: Client, inputs: Properties) -> str:
    name, role = inputs["configurationName"], inputs["iamRoleArn"]
    account = re.fullmatch(r"arn:aws[\w-]*:iam::(\d{12}):role/.+", role)
    if account is None:
        raise Failed(f"creating Chatbot Slack Channel Configuration ({name}): {role} is not the ARN of a role")
    arn = f"arn:aws:chatbot::{account[1]}:chat-configuration/slack-channel/{name}"
    if found(client.get_parameter, Name=_parameter(arn)) is not None:
        raise Failed(
            f"creating Chatbot Slack Channel Configuration ({name}): operation error chatbot: "
            "CreateSlackChannelConfiguration, https response error StatusCode: 409, ConflictException: "
            f"a configuration of the name {name} exists"
        )
    _write(client, arn, inputs)
    return arn


def _write(client: Client, arn: str, inputs: Properties) -> None:
    kept = {name: inputs[name] for name in _KEPT if name in inputs}
    client.put_parameter(Name=_parameter(arn), Value=json.dumps(kept), Type="String", Overwrite=True)


def _read(client: Client, arn: str, _known: Properties) -> Properties | None:
    answer = found(client.get_parameter, Name=_parameter(arn))
    if answer is None:
        return None
    told: Properties = json.loads(answer["Parameter"]["Value"])
    return (
        {"guardrailPolicyArns": [_EVERYTHING], "snsTopicArns": [], "tags": {}}
        | told
        | {
            "chatConfigurationArn": arn,
            "slackChannelName": told["slackChannelId"].lower(),
            "slackTeamName": told["slackTeamId"].lower(),
        }
    )


def _update(client: Client, update: Update) -> None:
    _write(client, update.id, update.news)


def _delete(client: Client, arn: str, _known: Properties) -> None:
    found(client.delete_parameter, Name=_parameter(arn))


TYPES = (
    ResourceType(
        token="aws:chatbot/slackChannelConfiguration:SlackChannelConfiguration",
        title="Chatbot Slack Channel Configuration",
        service="ssm",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        # The real one forces none; but its ARN, which is our id, holds the name.
        replaces=frozenset({"configurationName", "region"}),
        name="configurationName",
        defaults={"loggingLevel": "NONE", "userAuthorizationRequired": False},
        computed=frozenset({"guardrailPolicyArns", "region"}),
        kept=frozenset({"timeouts"}),
    ),
)
