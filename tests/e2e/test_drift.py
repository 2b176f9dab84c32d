"""What somebody changes, adds or deletes by hand is told once, in a sentence, and taken back when asked."""

import json
import re
import socket
import time
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pytest

from releasectl.edges.git import Git
from releasectl.edges.record_branch import RecordBranch
from releasectl.record import Phase, new_id
from tests.e2e.by_hand import EXPIRE_ALL, NAME, OWN, RULES, SAME, Hand
from tests.e2e.conftest import Said, Story, told


@pytest.fixture(scope="module")
def hand(story: Story) -> Hand:
    """Staging with everything that the program can declare, live; and an image that nobody released."""
    settings = story.read("Pulumi.staging.yaml").decode().replace("email: []", "email: [team@example.com]")
    settings = re.sub(r"^encryptionsalt", f"{RULES.lstrip(chr(10))}encryptionsalt", settings, flags=re.MULTILINE)
    story.commit({"Pulumi.staging.yaml": settings.encode(), "stacks/own.py": OWN}, "Alerts, rules and tools of our own")
    released = story.build_new("1.0.0")
    assert story.bump(released, "--program").code == 0
    assert story.releasectl("reconcile", "staging").code == 0
    return Hand(story, (released, story.build_new("1.1.0")))


@dataclass(frozen=True)
class Check:
    """One `drift`, and whether it left everything as it was."""

    code: int
    told: Any
    untouched: bool

    def of(self, kind: str, name: str) -> list[Any]:
        """What it tells of one resource."""
        everything = self.told["release"] + self.told["infrastructure"]
        return [one for one in everything if one["type"].endswith(f":{kind}") and one["name"] == name]


def check(story: Story) -> Check:
    before = story.everything()
    said = story.releasectl("drift", "staging", "--json")
    assert said.code in (0, 1), said.err
    return Check(said.code, said.json, story.everything() == before)


@pytest.fixture(scope="module")
def changed(hand: Hand) -> Check:
    """Every resource changed by hand; the tags, where nothing else can be."""
    hand.run(hand.other)
    hand.ecr.put_image_scanning_configuration(repositoryName=NAME, imageScanningConfiguration={"scanOnPush": False})
    hand.lifecycle(lambda rules: rules[2]["selection"].update(countNumber=3))
    hand.sns.tag_resource(ResourceArn=hand.topic, Tags=[{"Key": "environment", "Value": "hand"}])
    hand.topic_policy(lambda statements: statements[2]["Action"].remove("sns:Subscribe"))
    trust = hand.iam.get_role(RoleName=f"{NAME}-instance")["Role"]["AssumeRolePolicyDocument"]
    trust["Statement"][0]["Principal"]["Service"] = "build.apprunner.amazonaws.com"
    hand.iam.update_assume_role_policy(RoleName=f"{NAME}-instance", PolicyDocument=json.dumps(trust))
    hand.role_policy(lambda statements: statements[0]["Action"].remove("ecr:DescribeImages"))
    hand.apprunner.tag_resource(ResourceArn=hand.scaling, Tags=[{"Key": "environment", "Value": "hand"}])
    hand.alarm(Threshold=9000.0, EvaluationPeriods=3)
    hand.tag("cost", "4711")
    hand.iam.tag_role(RoleName=f"{NAME}-instance", Tags=[{"Key": "owner", "Value": "hand"}])
    errors = hand.arn("cloudwatch", f"alarm:{NAME}-errors")
    hand.cloudwatch.tag_resource(ResourceARN=errors, Tags=[{"Key": "owner", "Value": "hand"}])
    return check(hand.story)


@pytest.fixture(scope="module")
def untouched(hand: Hand) -> Check:
    """Before anybody does anything."""
    return check(hand.story)


@pytest.fixture(scope="module")
def added(changed: Check, hand: Hand) -> Check:
    """Then something added to every resource."""
    assert changed.code
    hand.tag("team", "web")
    hand.lifecycle(lambda rules: rules[2]["selection"].update(countNumber=500))
    hand.lifecycle(lambda rules: rules.extend([EXPIRE_ALL]))
    everybody = {"Sid": "Hand", "Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": hand.topic}
    hand.topic_policy(lambda statements: statements[2]["Action"].extend(["sns:Subscribe"]))
    hand.topic_policy(lambda statements: statements.extend([everybody]))
    filtered = {"AttributeName": "FilterPolicy", "AttributeValue": '{"colour": ["blue"]}'}
    hand.sns.set_subscription_attributes(SubscriptionArn=hand.subscription, **filtered)
    hand.role_policy(lambda statements: statements[0]["Action"].extend(["ecr:DescribeImages", "ecr:PutImage"]))
    return check(hand.story)


@dataclass(frozen=True)
class Mended:
    """What a drift fix said, what was on record then, newest first, and things that the settings ignore."""

    said: Said
    history: Any
    alarm: Any
    tags: Any
    role: Any


@pytest.fixture(scope="module")
def mended(added: Check, hand: Hand) -> Mended:
    """Everything taken back, as a person asks."""
    assert added.code
    said = hand.story.releasectl("drift", "staging", "--remediate", "--reason", "nobody knows who did this")
    alarm = hand.cloudwatch.describe_alarms(AlarmNames=[f"{NAME}-latency"])["MetricAlarms"][0]
    tags = hand.sns.list_tags_for_resource(ResourceArn=hand.topic)["Tags"]
    role = hand.iam.list_role_tags(RoleName=f"{NAME}-instance")["Tags"]
    return Mended(said, hand.story.history(count=2), alarm, tags, role)


@pytest.fixture(scope="module")
def deleted(mended: Mended, hand: Hand) -> Check:
    """Every resource deleted by hand, but for the registry, on which the others depend, and the role of the service."""
    assert mended.said.code == 0, mended.said.err
    scaling = hand.scaling
    hand.apprunner.delete_service(ServiceArn=hand.service)
    while hand.apprunner.list_services()["ServiceSummaryList"]:
        time.sleep(0.05)
    hand.apprunner.delete_auto_scaling_configuration(AutoScalingConfigurationArn=scaling)
    hand.cloudwatch.delete_alarms(AlarmNames=[f"{NAME}-errors"])
    hand.sns.unsubscribe(SubscriptionArn=hand.subscription)
    hand.sns.delete_topic(TopicArn=hand.topic)
    hand.iam.delete_role_policy(RoleName=f"{NAME}-access", PolicyName="pull-the-image")
    hand.iam.delete_role(RoleName=f"{NAME}-access")
    hand.ecr.delete_lifecycle_policy(repositoryName=NAME)
    return check(hand.story)


class Row(NamedTuple):
    """A difference that is told: type, name in the program, property, and words of its sentence."""

    kind: str
    name: str
    path: str
    sentence: str


def once(found: Check, row: Row) -> Any:
    """The one difference of a resource at this path, told in these words."""
    [one] = [one for one in found.of(row.kind, row.name) if one["path"] == row.path]
    assert row.sentence in one["sentence"]
    return one


def test_nothing_is_told_of_what_nobody_touched(untouched: Check) -> None:
    assert (untouched.code, untouched.told["release"], untouched.told["infrastructure"]) == (0, [], [])


IMAGE = "sourceConfiguration.imageRepository.imageIdentifier"
# Everything that the program gives a subscription is fixed for its life, so nobody can change one.
CHANGED = [
    Row("Service", "web", IMAGE, "web runs sha256:"),
    Row("AutoScalingConfigurationVersion", "web", "tags.environment", "is hand, recorded is staging"),
    Row("MetricAlarm", "web-latency", "evaluationPeriods", "is 3, recorded is 5"),
    Row("Repository", "web", "imageScanningConfiguration.scanOnPush", "is false, recorded is true"),
    Row("LifecyclePolicy", "web", "policy", "rules[2].selection.countNumber is 3, recorded is 500"),
    Row("Topic", "alerts", "tags.environment", "is hand, recorded is staging"),
    Row("TopicPolicy", "alerts", "policy", "Statement[2].Action was removed: sns:Subscribe"),
    Row("Role", "web-instance", "assumeRolePolicy", "is build.apprunner.amazonaws.com, recorded is tasks.apprunner"),
    Row("RolePolicy", "web-access", "policy", "Statement[0].Action was removed: ecr:DescribeImages"),
]


@pytest.mark.parametrize("row", CHANGED, ids=[row.kind for row in CHANGED])
def test_a_change_by_hand_is_told_once(changed: Check, row: Row) -> None:
    assert once(changed, row)["recorded"] is not None


ADDED = [
    Row("Service", "web", "tags.team", "was added: web"),
    Row("AutoScalingConfigurationVersion", "web", "tags.team", "was added: web"),
    Row("MetricAlarm", "web-latency", "tags.team", "was added: web"),
    Row("Repository", "web", "tags.team", "was added: web"),
    Row("LifecyclePolicy", "web", "policy", "rules[3] was added"),
    Row("Topic", "alerts", "tags.team", "was added: web"),
    Row("TopicPolicy", "alerts", "policy", "Statement[3] was added"),
    Row("TopicSubscription", "alerts-team@example.com", "filterPolicy", "was added: {"),
    Row("Role", "web-access", "tags.team", "was added: web"),
    Row("RolePolicy", "web-access", "policy", "Statement[0].Action was added: ecr:PutImage"),
]


@pytest.mark.parametrize("row", ADDED, ids=[row.kind for row in ADDED])
def test_what_was_added_by_hand_is_told_once(added: Check, row: Row) -> None:
    assert once(added, row)["found"] is not None


DELETED = [
    ("Service", "web"),
    ("AutoScalingConfigurationVersion", "web"),
    ("MetricAlarm", "web-errors"),
    ("LifecyclePolicy", "web"),
    ("Topic", "alerts"),
    ("TopicPolicy", "alerts"),
    ("TopicSubscription", "alerts-team@example.com"),
    ("Role", "web-access"),
    ("RolePolicy", "web-access"),
]


@pytest.mark.parametrize(("kind", "name"), DELETED, ids=[row[0] for row in DELETED])
def test_what_was_deleted_by_hand_is_told_once(deleted: Check, kind: str, name: str) -> None:
    assert [one["sentence"] for one in deleted.of(kind, name)] == [f"{kind} {name} was deleted by hand"]


def test_nothing_else_is_told(changed: Check, added: Check, deleted: Check) -> None:
    def places(found: Check) -> list[tuple[str, ...]]:
        everything = found.told["release"] + found.told["infrastructure"]
        return sorted((one["type"].rpartition(":")[2], one["name"], one["path"]) for one in everything)

    in_changed = [row[:3] for row in CHANGED]
    assert places(changed) == sorted(in_changed)
    assert places(added) == sorted({*in_changed, *(row[:3] for row in ADDED)})
    assert places(deleted) == sorted((*row, "") for row in DELETED)


def test_another_digest_scale_and_alarms_are_drift_of_the_release(added: Check, deleted: Check) -> None:
    assert {(one["what"], one["path"]) for one in added.told["release"]} == {
        ("digest", IMAGE),
        ("alarm", "evaluationPeriods"),
        ("alarm", "tags.team"),
    }
    assert {(one["what"], one["name"]) for one in deleted.told["release"]} == {
        ("digest", "web"),
        ("scale", "web"),
        ("alarm", "web-errors"),
    }


TAGGED = [
    ("Repository", "web"),
    ("Topic", "alerts"),
    ("AutoScalingConfigurationVersion", "web"),
    ("Service", "web"),
    ("MetricAlarm", "web-latency"),
    ("Role", "web-access"),
]


def test_what_the_settings_ignore_is_no_drift_and_has_its_reason(changed: Check) -> None:
    reasons = {
        (one["type"].rpartition(":")[2], one["name"], one["path"]): one["reason"] for one in changed.told["ignored"]
    }

    assert reasons == {
        ("MetricAlarm", "web-latency", "threshold"): "tuned by whoever is on call",
        ("Role", "web-instance", "tags.owner"): "the security team tags roles",
        ("MetricAlarm", "web-errors", "tags.owner"): "another team watches errors",
        **{(*one, "tags.cost"): "the finance tool tags everything" for one in TAGGED},
    }


def test_a_look_for_drift_writes_nothing(untouched: Check, changed: Check, added: Check, deleted: Check) -> None:
    assert [each.untouched for each in (untouched, changed, added, deleted)] == [True] * 4


def test_taking_it_back_is_a_deployment_of_the_same_release(mended: Mended) -> None:
    fix, release = mended.history

    assert (fix["kind"], fix["phases"][-1]["phase"], fix["by"]) == ("drift-fix", "live", "releasectl")
    assert fix["reason"].startswith("nobody knows who did this: ")
    assert "web runs sha256:" in fix["reason"]
    assert "Topic alerts: tags.team was added: web" in fix["reason"]
    assert [fix[key] for key in SAME] == [release[key] for key in SAME]
    assert fix["serving"] == {"web": release["services"]["web"]["digest"]}


def test_what_is_ignored_is_not_taken_back(mended: Mended) -> None:
    assert (mended.alarm["Threshold"], mended.alarm["EvaluationPeriods"]) == (9000.0, 5)
    assert {"Key": "cost", "Value": "4711"} in mended.tags
    assert {"Key": "owner", "Value": "hand"} in mended.role
    assert {"Key": "environment", "Value": "staging"} in mended.tags


def test_the_loop_does_not_take_it_back_by_itself(deleted: Check, hand: Hand) -> None:
    before = hand.story.everything()
    said = hand.story.releasectl("reconcile", "staging", "--json")

    assert (deleted.code, said.json["action"]) == (1, "rest")
    assert hand.story.everything() == before


@pytest.fixture(scope="module")
def restored(deleted: Check, hand: Hand) -> Said:
    """What was deleted comes back."""
    assert deleted.code
    return hand.story.releasectl("drift", "staging", "--remediate", "--json")


def test_what_was_deleted_comes_back(restored: Said, hand: Hand) -> None:
    found = check(hand.story)

    assert (restored.code, restored.json["kind"]) == (0, "drift-fix"), restored.err
    assert found.code == 0, found.told
    assert hand.settle() == "RUNNING"


def test_with_nothing_to_take_back_nothing_is_done(restored: Said, hand: Hand) -> None:
    before = hand.story.everything()
    said = hand.story.releasectl("drift", "staging", "--remediate", "--json")

    assert (restored.code, said.code, said.json["release"]) == (0, 0, [])
    assert hand.story.everything() == before


def test_a_held_environment_is_not_mended(restored: Said, hand: Hand) -> None:
    assert restored.code == 0
    assert hand.story.releasectl("hold", "staging", "--reason", "nobody touches this").code == 0
    held = hand.story.releasectl("drift", "staging", "--remediate", "--json")
    assert hand.story.releasectl("hold", "staging", "--lift").code == 0

    assert (held.code, held.json["gates"][0]["rule"]) == (4, "hold")


def test_a_service_that_is_paused_is_told_and_no_update_resumes_it(restored: Said, hand: Hand) -> None:
    assert restored.code == 0
    hand.apprunner.pause_service(ServiceArn=hand.service)
    assert hand.settle() == "PAUSED"
    found = check(hand.story)
    refused = hand.story.releasectl("drift", "staging", "--remediate", "--json")
    hand.apprunner.resume_service(ServiceArn=hand.service)
    assert hand.settle() == "RUNNING"

    assert [one["sentence"] for one in found.told["release"]] == ["web is PAUSED, not running"]
    told(refused, "NotRunning", 1)
    assert "aws apprunner resume-service" in refused.json["remedy"]


def test_a_way_back_that_is_protected_is_told_and_not_begun(restored: Said, hand: Hand) -> None:
    assert restored.code == 0
    hand.lifecycle(lambda rules: rules[0]["selection"].update(countNumber=6), "tools")
    found = check(hand.story)
    refused = hand.story.releasectl("drift", "staging", "--remediate", "--json")
    hand.lifecycle(lambda rules: rules[0]["selection"].update(countNumber=5), "tools")

    assert [one["name"] for one in found.of("LifecyclePolicy", "tools")] == ["tools"]
    assert "unable to replace" in found.told["problems"][0]
    told(refused, "NoRepair", 1)


def test_a_service_that_cannot_be_asked_is_no_all_clear(restored: Said, hand: Hand) -> None:
    assert restored.code == 0
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers
        away = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        said = hand.story.releasectl("drift", "staging", "--json", AWS_ENDPOINT_URL_APPRUNNER=away)

    told(said, "Unanswered", 3)


def test_a_registry_that_was_deleted_comes_back_empty(restored: Said, hand: Hand) -> None:
    assert restored.code == 0
    hand.ecr.delete_repository(repositoryName=NAME, force=True)
    found = check(hand.story)

    said = hand.story.releasectl("drift", "staging", "--remediate")

    assert [one["sentence"] for one in found.of("Repository", "web")] == ["Repository web was deleted by hand"]
    assert said.code == 0, said.err
    assert "comes back empty; push sha256:" in said.err
    assert check(hand.story).code == 0
    for built in hand.builds:
        hand.push(built)


@pytest.fixture(scope="module")
def another(restored: Said, hand: Hand) -> str:
    """Somebody made another digest run; that digest."""
    assert restored.code == 0
    hand.run(hand.other)
    return hand.other


def test_a_rejected_digest_is_not_adopted(another: str, hand: Hand) -> None:
    assert hand.story.releasectl("reject", "staging", "web", another, "--reason", "it counts twice").code == 0
    rejected = hand.story.releasectl("drift", "staging", "--adopt", "--json")
    assert hand.story.releasectl("reject", "staging", "web", another, "--lift").code == 0

    told(rejected, "Rejected", 1)


def test_a_digest_that_no_registry_has_is_not_adopted(another: str, hand: Hand) -> None:
    hand.ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageDigest": another}])
    lost = hand.story.releasectl("drift", "staging", "--adopt", "--json")
    hand.push(hand.builds[1])

    told(lost, "NotThere", 1)


def test_a_digest_that_runs_is_proposed_on_a_branch_and_released_after_the_merge(another: str, hand: Hand) -> None:
    main = hand.story.head

    adopted = hand.story.releasectl("drift", "staging", "--adopt", "--json")

    branch = f"releasectl/adopt-staging-{another[7:19]}"
    assert (adopted.code, adopted.json["branch"], adopted.json["changed"]) == (0, branch, True), adopted.err
    assert hand.story.head == main
    hand.story.merge(branch)
    pinned = hand.story.read("releases/staging.yaml").decode()
    assert another in pinned
    assert hand.story.source_commit in pinned, "the commit that its image names"
    newer = hand.story.releasectl("drift", "staging", "--json")
    refused = hand.story.releasectl("drift", "staging", "--remediate", "--json")
    assert (newer.code, "main says something newer" in newer.json["notes"][0]) == (1, True)
    told(refused, "MovedOn", 1)
    assert hand.story.releasectl("reconcile", "staging").code == 0
    alarm = hand.cloudwatch.describe_alarms(AlarmNames=[f"{NAME}-latency"])["MetricAlarms"][0]
    assert alarm["Threshold"] == 9000.0, "no release takes back what the settings ignore"
    assert check(hand.story).code == 0


def test_while_a_deployment_is_under_way_nobody_can_say(another: str, hand: Hand) -> None:
    records = RecordBranch(Git.find(hand.story.sandbox.clone))
    last = records.history("staging", 1)[0]
    begun = replace(last, id=new_id(last.since, last.id), phases=(replace(last.phases[0], phase=Phase.APPLYING),))
    records.open(begun, last.id)
    said = hand.story.releasectl("drift", "staging", "--json")
    kept = hand.story.releasectl("teardown", "staging", "--yes", "--json")
    records.add(begun, replace(last.phases[-1], phase=Phase.LIVE))

    assert another
    told(said, "NotSettled", 3)
    told(kept, "NotSettled", 3)
