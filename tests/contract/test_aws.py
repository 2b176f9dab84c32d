"""Registry and notifier, the same on the twins and on the real edges against ministack; and how AWS says no."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest

from releasectl.edges import aws
from releasectl.edges.aws import AwsDenied, AwsFailed, AwsThrottled, AwsUnreachable
from releasectl.edges.ecr import Ecr
from releasectl.edges.live import Live
from releasectl.edges.sns import Sns
from releasectl.errors import ControllerError, Retry
from releasectl.outputs import Service
from releasectl.world import Notifier, Registry
from sandbox import ministack
from sandbox.process import free_port
from sandbox.registry import Registry as RegistryApi
from sandbox.registry import digest_of
from tests.contract.answers import CUT, Answer, serving
from tests.twins import ACCOUNT, REGION, digest
from tests.twins import Notifier as NotifierTwin
from tests.twins import Registry as RegistryTwin

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:t"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running ministack."""
    running = ministack.start(tmp_path_factory.mktemp("ministack"))
    yield running.endpoint
    running.stop()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """The ordinary environment of AWS's clients, with an endpoint of the test's choice and few retries."""

    def at(url: str) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        aws.session.cache_clear()

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_APPRUNNER"):
        monkeypatch.delenv(name, raising=False)
    yield at
    aws.session.cache_clear()


# ---- the registry ----


@dataclass(frozen=True)
class Images:
    """A registry with one repository, and how a build pushes to it."""

    registry: Registry
    repository: str
    push: Callable[[str], str]  # an image
    push_index: Callable[[str, str], str]  # an index of two images
    tags: Callable[[str], bool]  # is this digest safe from retention?


def twin_images() -> Images:
    twin, repository = RegistryTwin({f"{HOST}/team/web": {}}), f"{HOST}/team/web"

    def push(seed: str) -> str:
        twin.push(repository, digest(seed))
        return digest(seed)

    def push_index(one: str, other: str) -> str:
        twin.push(repository, digest(one + other), one, other)
        return digest(one + other)

    return Images(twin, repository, push, push_index, lambda pushed: (repository, pushed) in twin.shielded)


def real_images(endpoint: str) -> Images:
    api, name = RegistryApi(endpoint), f"team/web-{uuid4().hex[:8]}"
    client = boto3.client("ecr", region_name=REGION)
    client.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")

    def push(seed: str) -> str:
        blob = api.push_blob(name, seed.encode())
        config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob, "size": len(seed)}
        raw = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}).encode()
        return api.push_manifest(name, digest_of(raw), raw, MANIFEST)

    def push_index(*images: str) -> str:
        children = [{"mediaType": MANIFEST, "digest": image, "size": 1} for image in images]
        raw = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).encode()
        return api.push_manifest(name, digest_of(raw), raw, INDEX)

    def tags(pushed: str) -> bool:
        found = client.describe_images(repositoryName=name, imageIds=[{"imageDigest": pushed}])["imageDetails"]
        return f"release-{pushed.removeprefix('sha256:')[:12]}" in found[0].get("imageTags", [])

    return Images(Ecr(), f"{HOST}/{name}", push, push_index, tags)


@pytest.fixture(params=["twin", "ecr"])
def images(request: pytest.FixtureRequest) -> Images:
    if request.param == "twin":
        return twin_images()
    url: str = request.getfixturevalue("endpoint")
    request.getfixturevalue("account")(url)
    return real_images(url)


class TestRegistry:
    """The contract."""

    def test_a_tag_names_a_digest_from_when_it_is_given(self, images: Images) -> None:
        pushed = images.push("named")
        tag = f"release-{pushed.removeprefix('sha256:')[:12]}"
        before = images.registry.digest(REGION, images.repository, tag)

        images.registry.shield(REGION, images.repository, pushed)

        assert (before, images.registry.digest(REGION, images.repository, tag)) == ("", pushed)

    def test_an_image_that_was_pushed_is_there(self, images: Images) -> None:
        pushed = images.push("one")

        assert images.registry.images(REGION, images.repository, pushed) == (pushed,)

    def test_an_index_is_there_with_its_children(self, images: Images) -> None:
        one, other = images.push("one"), images.push("other")
        index = images.push_index(one, other)

        assert images.registry.images(REGION, images.repository, index) == (index, one, other)

    def test_a_digest_that_nobody_pushed_is_not_there(self, images: Images) -> None:
        images.push("one")

        assert images.registry.images(REGION, images.repository, digest("never")) == ()

    def test_a_repository_that_is_not_there_has_nothing(self, images: Images) -> None:
        assert images.registry.images(REGION, f"{HOST}/nowhere", digest("one")) == ()

    def test_a_shielded_digest_is_safe_from_retention_however_often_it_is_asked_for(self, images: Images) -> None:
        pushed, other = images.push("one"), images.push("other")
        for _ in range(2):
            images.registry.shield(REGION, images.repository, pushed)

        assert images.tags(pushed)
        assert not images.tags(other)
        assert images.registry.images(REGION, images.repository, pushed) == (pushed,)

    def test_an_index_can_be_shielded(self, images: Images) -> None:
        index = images.push_index(images.push("one"), images.push("other"))
        images.registry.shield(REGION, images.repository, index)

        assert images.tags(index)

    def test_shielding_what_is_not_there_does_nothing(self, images: Images) -> None:
        images.registry.shield(REGION, images.repository, digest("never"))
        images.registry.shield(REGION, f"{HOST}/nowhere", digest("never"))

        assert images.registry.images(REGION, images.repository, digest("never")) == ()


# ---- the notifier ----


@dataclass(frozen=True)
class Desk:
    """A notifier, a topic, and what arrives at the people who listen to it."""

    notifier: Notifier
    topic: str
    heard: Callable[[], list[tuple[str, str]]]


def twin_desk() -> Desk:
    twin = NotifierTwin()
    return Desk(twin, f"arn:aws:sns:{REGION}:{ACCOUNT}:t", lambda: [(page.subject, page.text) for page in twin.told])


def real_desk() -> Desk:
    sns: Any = boto3.client("sns", region_name=REGION)
    sqs: Any = boto3.Session(region_name=REGION).client("sqs")  # has no stubs here
    name = f"t-{uuid4().hex[:8]}"
    topic, queue = sns.create_topic(Name=name)["TopicArn"], sqs.create_queue(QueueName=name)["QueueUrl"]
    listener = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=listener)

    def heard() -> list[tuple[str, str]]:
        got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=2).get("Messages", [])
        bodies = [json.loads(message["Body"]) for message in got]
        return [(body["Subject"], body["Message"]) for body in bodies]

    return Desk(Sns(), topic, heard)


@pytest.fixture(params=["twin", "sns"])
def desk(request: pytest.FixtureRequest) -> Desk:
    if request.param == "twin":
        return twin_desk()
    request.getfixturevalue("account")(request.getfixturevalue("endpoint"))
    return real_desk()


class TestNotifier:
    """The contract."""

    def test_what_is_told_arrives_once_with_its_subject(self, desk: Desk) -> None:
        desk.notifier.tell(REGION, desk.topic, subject="staging: release failed", text="boom: \u2603\nlast line")

        assert desk.heard() == [("staging: release failed", "boom: \u2603\nlast line")]


def test_sns_gets_a_subject_that_it_accepts_whatever_the_words(account: Callable[[str], None], endpoint: str) -> None:
    account(endpoint)
    desk = real_desk()
    desk.notifier.tell(REGION, desk.topic, subject="\u2603" * 200, text="x")

    assert desk.heard() == [("?" * 100, "x")]


# ---- how AWS says no ----


def test_an_account_that_is_not_there_is_unreachable_for_every_edge(account: Callable[[str], None]) -> None:
    account(f"http://127.0.0.1:{free_port()}")

    with pytest.raises(AwsUnreachable, match="team/web@sha256") as caught:
        Ecr().images(REGION, f"{HOST}/team/web", digest("one"))
    assert caught.value.retry is Retry.BACKOFF
    with pytest.raises(AwsUnreachable, match="publishing to arn:aws:sns"):
        Sns().tell(REGION, f"arn:aws:sns:{REGION}:{ACCOUNT}:t", subject="s", text="t")


def test_without_credentials_the_remedy_is_to_log_in(
    account: Callable[[str], None], endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    account(endpoint)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    with pytest.raises(AwsDenied) as caught:
        Ecr().images(REGION, f"{HOST}/team/web", digest("one"))
    assert caught.value.remedy.startswith("Log in to AWS")


def test_a_topic_that_is_not_there_is_named(account: Callable[[str], None], endpoint: str) -> None:
    account(endpoint)

    with pytest.raises(ControllerError, match=r"publishing to arn:aws:sns:\S+:nowhere"):
        Sns().tell(REGION, f"arn:aws:sns:{REGION}:{ACCOUNT}:nowhere", subject="s", text="t")


@pytest.mark.parametrize(
    ("cause", "error"),
    [
        pytest.param(
            "AccessDeniedException: User is not authorized to perform ecr:BatchGetImage", AwsDenied, id="denied"
        ),
        pytest.param("ExpiredTokenException: the security token is expired", AwsDenied, id="expired"),
        pytest.param("operation error STS: no valid credential sources found", AwsDenied, id="the provider's words"),
        pytest.param("ThrottlingException: Rate exceeded", AwsThrottled, id="throttled"),
        pytest.param(
            "dial tcp 127.0.0.1:1: connect: connection refused", AwsUnreachable, id="the engine cannot connect"
        ),
        pytest.param("InternalServiceErrorException: broken", AwsUnreachable, id="broken there"),
        pytest.param("InvalidRequestException: Cpu is invalid", AwsFailed, id="anything else"),
    ],
)
def test_the_words_of_aws_mean_one_of_four_things(cause: str, error: type[ControllerError]) -> None:
    found = aws.named("describing web", cause)

    assert type(found) is error
    assert found.message == f"describing web: {cause}"
    assert aws.is_ours(found) == (error is not AwsFailed)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param(500, AwsUnreachable, id="broken"),
        pytest.param(502, AwsUnreachable, id="a proxy before it"),
        pytest.param(429, AwsThrottled, id="too often"),
        pytest.param(403, AwsDenied, id="denied"),
        pytest.param(418, AwsFailed, id="anything else"),
    ],
)
def test_a_status_says_what_the_words_do_not(
    account: Callable[[str], None], status: int, error: type[ControllerError]
) -> None:
    with serving(lambda _asked: Answer(status, b"<html>no</html>")) as server:
        account(server.url)

        with pytest.raises(ControllerError) as caught:
            Sns().tell(REGION, TOPIC, subject="s", text="t")
    assert type(caught.value) is error
    assert len(server.asked) == (1 if error in (AwsDenied, AwsFailed) else 4), "botocore's own retries, and no others"


def test_people_are_told_twice_rather_than_not_at_all_when_an_answer_is_lost(account: Callable[[str], None]) -> None:
    done = Answer(200, b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>")
    answers = [CUT, done]
    with serving(lambda _asked: answers.pop(0)) as server:
        account(server.url)
        Sns().tell(REGION, TOPIC, subject="s", text="t")

    assert [b"Message=t" in asked.body for asked in server.asked] == [True, True]


# ---- looking at a service: every question that gets no answer is told, and none stops the others ----


def test_a_service_that_was_never_made_is_told_as_unasked_and_not_as_a_crash(
    account: Callable[[str], None], endpoint: str
) -> None:
    account(endpoint)
    seen = Live().observe(REGION, Service("app-runner", f"{HOST}/team/web"), watch=0)

    assert seen.unasked == (f"describing the service of {HOST}/team/web: it was never made",)
    assert (seen.is_well, seen.log) == (None, ())


def test_a_service_behind_an_account_that_does_not_answer_is_still_probed_from_outside(
    account: Callable[[str], None],
) -> None:
    account(f"http://127.0.0.1:{free_port()}")
    arn = f"arn:aws:apprunner:{REGION}:{ACCOUNT}:service/staging-web/1"
    service = Service("app-runner", "r", service=arn, url=f"http://127.0.0.1:{free_port()}", alarms=("errors",))
    seen = Live().observe(REGION, service, watch=0)

    assert [asked.split(" arn")[0] for asked in seen.unasked] == ["describing", "asking for the alarms of"]
    assert [answer.status for answer in seen.answers] == [None]
    assert seen.log[0].startswith("(no log: reading /aws/apprunner/staging-web/1/application")
