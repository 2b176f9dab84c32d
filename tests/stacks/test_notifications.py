"""Who may publish to the alert topic and use its key, who reads it, and what stays secret."""

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest

from stacks.alert_key import key_policy
from stacks.alert_settings import Alerts, Slack
from stacks.notifications import topic_policy
from tests.stacks.alerting import TOPIC, subscriptions, told, watched
from tests.stacks.recording_engine import ACCOUNT, REGION

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d"
OTHERS = "210987654321"
ALARM = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:release-controller-staging-web-errors"
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/release-controller-staging-web-failed-deployment"
CLOUDWATCH, EVENTS, CHATBOT = "cloudwatch.amazonaws.com", "events.amazonaws.com", "chatbot.amazonaws.com"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
Source = Mapping[str, str]
OF_ALARM: Source = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": ALARM}
OF_RULE: Source = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": RULE}
NOTHING: Source = {}


def allows(policy: str, who: str, action: str, *, on: str, said: Source) -> bool:
    """Whether a resource policy lets that principal do it, by AWS's rules for the words that ours use."""
    return any(
        _is_about(statement, who, action, on) and _holds(statement.get("Condition", {}), said)
        for statement in json.loads(policy)["Statement"]
        if statement["Effect"] == "Allow"
    )


def _is_about(statement: Mapping[str, Any], who: str, action: str, resource: str) -> bool:
    [principal] = statement["Principal"].values()
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    return (
        principal in ("*", who)
        and any(fnmatchcase(action, known) for known in actions)
        and fnmatchcase(resource, statement["Resource"])
    )


def _holds(conditions: Mapping[str, Mapping[str, str]], said: Source) -> bool:
    """What the caller did not send fulfils no condition."""
    compare = {"StringEquals": lambda value, known: value == known, "ArnLike": fnmatchcase}
    return all(
        key in said and compare[operator](said[key], known)
        for operator, keys in conditions.items()
        for key, known in keys.items()
    )


@pytest.mark.parametrize(
    ("who", "said", "may"),
    [
        pytest.param(CLOUDWATCH, OF_ALARM, True, id="an alarm of this account"),
        pytest.param(CLOUDWATCH, {**OF_ALARM, "aws:SourceAccount": OTHERS}, False, id="an alarm of another account"),
        pytest.param(
            CLOUDWATCH,
            {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": ALARM.replace(REGION, "us-east-1")},
            False,
            id="another region",
        ),
        pytest.param(CLOUDWATCH, NOTHING, False, id="CloudWatch for whom it does not say"),
        pytest.param(EVENTS, OF_RULE, True, id="a rule of this environment"),
        pytest.param(
            EVENTS, {**OF_RULE, "aws:SourceArn": RULE.replace("staging", "production")}, False, id="of production"
        ),
        pytest.param(EVENTS, {**OF_RULE, "aws:SourceArn": RULE.replace(ACCOUNT, OTHERS)}, False, id="of others"),
        pytest.param(EVENTS, NOTHING, False, id="EventBridge for whom it does not say"),
        pytest.param(ROOT, NOTHING, True, id="this account"),
        pytest.param(f"arn:aws:iam::{OTHERS}:root", NOTHING, False, id="another account"),
        pytest.param("lambda.amazonaws.com", OF_ALARM, False, id="another service"),
    ],
)
def test_who_may_publish_to_the_topic(who: str, said: Source, *, may: bool) -> None:
    assert allows(topic_policy(TOPIC, "staging"), who, "sns:Publish", on=TOPIC, said=said) is may


@pytest.mark.parametrize(
    ("who", "said", "may"),
    [
        pytest.param(CLOUDWATCH, OF_ALARM, True, id="an alarm of this account"),
        pytest.param(CLOUDWATCH, {**OF_ALARM, "aws:SourceAccount": OTHERS}, False, id="an alarm of another account"),
        pytest.param(CLOUDWATCH, NOTHING, False, id="CloudWatch for whom it does not say"),
        pytest.param(EVENTS, NOTHING, True, id="EventBridge, which never says for whom"),
        pytest.param(ROOT, NOTHING, True, id="this account"),
        pytest.param(f"arn:aws:iam::{OTHERS}:root", NOTHING, False, id="another account"),
        pytest.param("lambda.amazonaws.com", OF_ALARM, False, id="another service"),
    ],
)
@pytest.mark.parametrize("action", ["kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"])
def test_who_may_use_the_key(who: str, said: Source, action: str, *, may: bool) -> None:
    assert allows(key_policy(KEY), who, action, on=KEY, said=said) is may


@pytest.mark.parametrize("action", ["kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:CreateGrant", "kms:Encrypt"])
def test_only_the_account_may_do_more_with_the_key(action: str) -> None:
    may = {who: allows(key_policy(KEY), who, action, on=KEY, said=OF_ALARM) for who in (ROOT, CLOUDWATCH, EVENTS)}

    assert may == {ROOT: True, CLOUDWATCH: False, EVENTS: False}


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_the_policies_stay_in_their_part_of_aws(partition: str) -> None:
    key, arn = KEY.replace(":aws:", f":{partition}:"), TOPIC.replace(":aws:", f":{partition}:")
    alarm = {**OF_ALARM, "aws:SourceArn": ALARM.replace(":aws:", f":{partition}:")}

    assert allows(key_policy(key), CLOUDWATCH, "kms:Decrypt", on=key, said=alarm)
    assert allows(topic_policy(arn, "staging"), CLOUDWATCH, "sns:Publish", on=arn, said=alarm)
    assert allows(key_policy(key), ROOT.replace(":aws:", f":{partition}:"), "kms:PutKeyPolicy", on=key, said=NOTHING)


def test_the_topic_has_a_key_of_its_own_that_rotates_and_is_ready_before_it() -> None:
    recording = told(Alerts())
    key, made = recording.one("Key", "alerts").inputs, recording.one("Topic", "alerts")

    assert made.inputs["kmsMasterKeyId"] == KEY
    assert key["enableKeyRotation"] is True
    assert recording.one("KeyPolicy", "alerts").inputs["policy"] == key_policy(KEY)
    assert any(urn.endswith("KeyPolicy::alerts") for urn in made.dependencies)
    assert recording.one("Alias", "alerts").inputs == {
        "name": "alias/release-controller-staging-alerts",
        "targetKeyId": "0a1b2c3d",
    }


def test_without_encryption_there_is_no_key_at_all_and_never_that_of_aws() -> None:
    recording = told(Alerts(encrypt=False))

    assert recording.declared() == {("Environment", "staging"), ("Topic", "alerts"), ("TopicPolicy", "alerts")}
    assert "kmsMasterKeyId" not in recording.one("Topic", "alerts").inputs


def test_the_policy_is_that_of_the_topic_and_its_environment() -> None:
    recording = told(Alerts())

    assert recording.outputs["topic"] == TOPIC
    assert recording.one("TopicPolicy", "alerts").inputs == {"arn": TOPIC, "policy": topic_policy(TOPIC, "staging")}


def test_each_address_has_a_subscription_that_is_named_by_it() -> None:
    alerts = Alerts(email=("a@team.example", "b@team.example"), sms=("+491701234567",))

    assert subscriptions(told(alerts)) == {
        "alerts-a@team.example": ("email", "a@team.example"),
        "alerts-b@team.example": ("email", "b@team.example"),
        "alerts-+491701234567": ("sms", "+491701234567"),
    }


def test_slack_reads_the_topic_and_its_channel_may_look_at_cloudwatch_and_nothing_else() -> None:
    recording = told(Alerts(slack=Slack("T0123ABCD", "C0123ABCD")))
    channel = recording.one("SlackChannelConfiguration", "alerts-slack")
    look = recording.one("Policy", "alerts-slack").inputs
    arn = f"arn:aws:iam::{ACCOUNT}:policy/release-controller-staging-slack"

    assert (channel.inputs["slackTeamId"], channel.inputs["slackChannelId"]) == ("T0123ABCD", "C0123ABCD")
    assert channel.inputs["snsTopicArns"] == [TOPIC]
    assert channel.inputs["guardrailPolicyArns"] == [arn]
    assert channel.inputs["loggingLevel"] == "ERROR"
    assert recording.one("RolePolicyAttachment", "alerts-slack").inputs["policyArn"] == arn
    [statement] = json.loads(look["policy"])["Statement"]
    assert {action.partition(":")[0] for action in statement["Action"]} == {"cloudwatch"}
    assert not any(fnmatchcase("cloudwatch:PutMetricAlarm", action) for action in statement["Action"])
    assert not any(fnmatchcase("cloudwatch:SetAlarmState", action) for action in statement["Action"])


def test_amazon_q_takes_its_role_for_this_account_alone() -> None:
    recording = told(Alerts(slack=Slack("T0123ABCD", "C0123ABCD")))
    [statement] = json.loads(recording.one("Role", "alerts-slack").inputs["assumeRolePolicy"])["Statement"]

    assert statement["Principal"] == {"Service": CHATBOT}
    assert _holds(statement["Condition"], {"aws:SourceAccount": ACCOUNT})
    assert not _holds(statement["Condition"], {"aws:SourceAccount": OTHERS})
    assert not _holds(statement["Condition"], NOTHING)


def test_without_slack_nothing_of_it_is_there() -> None:
    keys = told(Alerts()).declared()

    assert not {name for _, name in keys if "slack" in name}


def test_a_failed_deployment_goes_to_the_topic_as_the_event_that_it_is() -> None:
    recording = watched()
    rule = recording.one("EventRule", "web-failed-deployment").inputs
    target = recording.one("EventTarget", "web-failed-deployment").inputs

    assert json.loads(rule["eventPattern"]) == {
        "source": ["aws.some"],
        "resources": ["arn:of:web"],
        "detail": {"state": ["FAILED"]},
    }
    assert target["rule"] == rule["name"] == "release-controller-staging-web-failed-deployment"
    assert target["arn"] == TOPIC
    assert not {"input", "inputPath", "inputTransformer"} & set(target)
    published = {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule['name']}"}
    assert allows(topic_policy(TOPIC, "staging"), EVENTS, "sns:Publish", on=TOPIC, said=published)
