"""Services on the laptop's App Runner: deployments, rollbacks, restarts, and what callers see meanwhile."""

import datetime
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef

from tests.sandbox.conftest import Laptop, create, processes, settled, source, until

Push = Callable[..., str]


@pytest.fixture
def web(laptop: Laptop) -> Iterator[httpx.Client]:
    """A client that trusts the sandbox's authority and nothing else."""
    with httpx.Client(verify=ssl.create_default_context(cafile=str(laptop.ca)), timeout=10) as client:
        yield client


def lines(laptop: Laptop, service: Any, kind: str) -> list[str]:
    group = f"/aws/apprunner/{service['ServiceName']}/{service['ServiceId']}/{kind}"
    return [event["message"] for event in laptop.logs.filter_log_events(logGroupName=group)["events"]]


def newest(laptop: Laptop, arn: str) -> tuple[str, str]:
    operation = laptop.client.list_operations(ServiceArn=arn)["OperationSummaryList"][0]
    return operation["Type"], operation["Status"]


def test_a_created_service_serves_its_image_over_https(
    laptop: Laptop, web: httpx.Client, image: Push, service_name: str
) -> None:
    pinned = image()

    arn = create(laptop.client, service_name, pinned)
    during = laptop.client.describe_service(ServiceArn=arn)["Service"]["Status"]
    service = settled(laptop.client, arn)

    assert (during, service["Status"]) == ("OPERATION_IN_PROGRESS", "RUNNING")
    assert service["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"] == pinned
    assert newest(laptop, arn) == ("CREATE_SERVICE", "SUCCEEDED")
    assert web.get(f"https://{service['ServiceUrl']}/").text == "one"
    assert lines(laptop, service, "application") == ["hello from one"]


def test_the_front_door_passes_bodies_paths_and_headers_on(
    laptop: Laptop, web: httpx.Client, image: Push, service_name: str
) -> None:
    service = settled(laptop.client, create(laptop.client, service_name, image()))

    answer = web.post(f"https://{service['ServiceUrl']}/a%20b?c=d", content=b"\x00body")

    assert (answer.status_code, answer.content) == (201, b"/a%20b?c=d https \x00body")
    assert answer.headers["X-Pid"]


def test_a_bad_update_is_rolled_back_silently_while_the_old_image_serves(
    laptop: Laptop, web: httpx.Client, image: Push, service_name: str
) -> None:
    good, bad = image(), image(VERSION="bad", SICK="1")
    arn = create(laptop.client, service_name, good, COLOUR="blue")
    before = settled(laptop.client, arn)

    laptop.client.update_service(ServiceArn=arn, SourceConfiguration=source(bad, COLOUR="red"))
    during = laptop.client.describe_service(ServiceArn=arn)["Service"]
    answers = set()
    while laptop.client.describe_service(ServiceArn=arn)["Service"]["Status"] == "OPERATION_IN_PROGRESS":
        answers.add(web.get(f"https://{before['ServiceUrl']}/").text)
    after = settled(laptop.client, arn)

    assert during["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"] == bad
    assert answers == {"one"}
    assert after["Status"] == "RUNNING"
    assert after["SourceConfiguration"] == before["SourceConfiguration"]
    assert newest(laptop, arn) == ("UPDATE_SERVICE", "ROLLBACK_SUCCEEDED")
    assert "hello from bad" in lines(laptop, after, "application")
    assert any("GET /healthz: status 500" in line for line in lines(laptop, after, "service"))


def test_nothing_else_is_accepted_while_an_operation_goes_on(laptop: Laptop, image: Push, service_name: str) -> None:
    client = laptop.client
    arn = create(client, service_name, image(), healthy=10)
    calls: list[Callable[..., object]] = [
        client.update_service,
        client.delete_service,
        client.pause_service,
        client.resume_service,
        client.start_deployment,
    ]

    refusals = []
    for call in calls:
        with pytest.raises(ClientError, match="OPERATION_IN_PROGRESS") as caught:
            call(ServiceArn=arn)
        refusals.append(caught.value.response["Error"]["Code"])

    # botocore's model knows no InvalidStateException for StartDeployment.
    assert refusals == [*["InvalidStateException"] * 4, "InvalidRequestException"]
    assert settled(client, arn)["Status"] == "RUNNING"


def test_a_first_release_that_crashes_ends_in_create_failed_and_an_update_mends_it(
    laptop: Laptop, image: Push, service_name: str
) -> None:
    arn = create(laptop.client, service_name, image(CRASH="1"))
    failed = settled(laptop.client, arn)
    operation = newest(laptop, arn)

    laptop.client.update_service(ServiceArn=arn, SourceConfiguration=source(image()))
    mended = settled(laptop.client, arn)

    assert (failed["Status"], operation) == ("CREATE_FAILED", ("CREATE_SERVICE", "FAILED"))
    assert lines(laptop, failed, "application")[:2] == ["hello from one", "boom: no database"]
    assert any("exited with code 1" in line for line in lines(laptop, failed, "service"))
    assert mended["Status"] == "RUNNING"


def test_an_image_that_is_not_in_the_registry_fails_with_a_reason_in_the_service_log(
    laptop: Laptop, image: Push, service_name: str
) -> None:
    missing = image().split("@")[0] + "@sha256:" + "0" * 64

    service = settled(laptop.client, create(laptop.client, service_name, missing))

    assert service["Status"] == "CREATE_FAILED"
    assert any("reading manifest" in line for line in lines(laptop, service, "service"))


def test_no_request_fails_while_a_deployment_switches(
    laptop: Laptop, web: httpx.Client, image: Push, service_name: str
) -> None:
    first, second = image(), image(VERSION="two")
    arn = create(laptop.client, service_name, first)
    url = f"https://{settled(laptop.client, arn)['ServiceUrl']}/"
    seen: Counter[tuple[int, str]] = Counter()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            answer = web.get(url)
            seen[answer.status_code, answer.text] += 1

    callers = [threading.Thread(target=ask) for _ in range(2)]
    for caller in callers:
        caller.start()
    for pinned in (second, first, second):
        laptop.client.update_service(ServiceArn=arn, SourceConfiguration=source(pinned))
        settled(laptop.client, arn)
    until(lambda: seen[200, "two"], lambda count: count > 5)
    done.set()
    for caller in callers:
        caller.join()

    assert set(seen) == {(200, "one"), (200, "two")}


def test_a_switch_leaves_no_process_of_the_old_instance(laptop: Laptop, image: Push, service_name: str) -> None:
    arn = create(laptop.client, service_name, image(), MARK=f"{service_name}-old")
    settled(laptop.client, arn)
    before = processes(f"{service_name}-old")

    laptop.client.update_service(ServiceArn=arn, SourceConfiguration=source(image(), MARK=f"{service_name}-new"))
    settled(laptop.client, arn)

    assert before
    assert processes(f"{service_name}-old") == []
    assert processes(f"{service_name}-new")


def test_a_start_deployment_restarts_the_same_image(
    laptop: Laptop, web: httpx.Client, image: Push, service_name: str
) -> None:
    arn = create(laptop.client, service_name, image(), MARK=service_name)
    settled(laptop.client, arn)
    before = processes(service_name)

    laptop.client.start_deployment(ServiceArn=arn)
    service = settled(laptop.client, arn)

    assert newest(laptop, arn) == ("START_DEPLOYMENT", "SUCCEEDED")
    assert not set(before) & set(processes(service_name))
    assert web.get(f"https://{service['ServiceUrl']}/").text == "one"


def test_a_crashed_instance_is_replaced(laptop: Laptop, web: httpx.Client, image: Push, service_name: str) -> None:
    service = settled(laptop.client, create(laptop.client, service_name, image()))
    url = f"https://{service['ServiceUrl']}"

    died = web.get(f"{url}/die").status_code
    until(lambda: web.get(f"{url}/").status_code, lambda status: status == 200)

    assert died == 503
    group = f"/aws/apprunner/{service_name}/{service['ServiceId']}/application"
    streams = until(
        lambda: laptop.logs.describe_log_streams(logGroupName=group)["logStreams"], lambda found: len(found) == 2
    )
    assert all(stream["logStreamName"].startswith("instance/") for stream in streams)


def test_a_paused_service_answers_503_until_it_resumes(
    laptop: Laptop, web: httpx.Client, image: Push, service_name: str
) -> None:
    arn = create(laptop.client, service_name, image(), MARK=service_name)
    url = f"https://{settled(laptop.client, arn)['ServiceUrl']}/"

    laptop.client.pause_service(ServiceArn=arn)
    paused = settled(laptop.client, arn)["Status"]
    running, status = processes(service_name), web.get(url).status_code
    laptop.client.resume_service(ServiceArn=arn)
    resumed = settled(laptop.client, arn)["Status"]

    assert (paused, running, status) == ("PAUSED", [], 503)
    assert (resumed, web.get(url).text) == ("RUNNING", "one")


def test_a_deleted_service_is_gone_with_its_front_door(
    laptop: Laptop, web: httpx.Client, image: Push, service_name: str
) -> None:
    arn = create(laptop.client, service_name, image(), MARK=service_name)
    url = f"https://{settled(laptop.client, arn)['ServiceUrl']}/"

    laptop.client.delete_service(ServiceArn=arn)
    service = settled(laptop.client, arn)

    assert service["Status"] == "DELETED"
    assert service["DeletedAt"] >= service["CreatedAt"]
    assert processes(service_name) == []
    with pytest.raises(httpx.ConnectError):
        web.get(url)
    listed = laptop.client.list_services()["ServiceSummaryList"]
    assert arn not in [entry["ServiceArn"] for entry in listed]


def test_operations_are_listed_newest_first_and_in_pages(laptop: Laptop, image: Push, service_name: str) -> None:
    arn = create(laptop.client, service_name, image())
    settled(laptop.client, arn)
    laptop.client.pause_service(ServiceArn=arn)
    settled(laptop.client, arn)
    laptop.client.resume_service(ServiceArn=arn)
    settled(laptop.client, arn)

    pages = [laptop.client.list_operations(ServiceArn=arn, MaxResults=2)]
    pages.append(laptop.client.list_operations(ServiceArn=arn, MaxResults=2, NextToken=pages[0]["NextToken"]))

    kinds = [operation["Type"] for page in pages for operation in page["OperationSummaryList"]]
    assert kinds == ["RESUME_SERVICE", "PAUSE_SERVICE", "CREATE_SERVICE"]
    assert "NextToken" not in pages[1]
    with pytest.raises(ClientError, match="NextToken is invalid"):
        laptop.client.list_operations(ServiceArn=arn, NextToken="elsewhere")


def test_requests_become_metrics_of_the_service_and_health_checks_do_not(
    laptop: Laptop, web: httpx.Client, image: Push, service_name: str
) -> None:
    service = settled(laptop.client, create(laptop.client, service_name, image()))
    dimensions: list[DimensionTypeDef] = [
        {"Name": "ServiceName", "Value": service_name},
        {"Name": "ServiceID", "Value": service["ServiceId"]},
    ]

    def series() -> set[str]:
        metrics = laptop.cloudwatch.list_metrics(Namespace="AWS/AppRunner")["Metrics"]
        return {metric["MetricName"] for metric in metrics if metric["Dimensions"] == dimensions}

    def total(metric: str) -> float:
        now = datetime.datetime.now(datetime.UTC)
        points = laptop.cloudwatch.get_metric_statistics(
            Namespace="AWS/AppRunner",
            MetricName=metric,
            Dimensions=dimensions,
            StartTime=now - datetime.timedelta(minutes=10),
            EndTime=now + datetime.timedelta(minutes=1),
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        return sum(point["Sum"] for point in points)

    for _ in range(3):
        web.get(f"https://{service['ServiceUrl']}/")
    well = until(series, lambda found: "Requests" in found)
    web.get(f"https://{service['ServiceUrl']}/fail")
    until(series, lambda found: "5xxStatusResponses" in found)

    usage = {"CPUUtilization", "MemoryUtilization"}
    assert well == {"Requests", "2xxStatusResponses", "RequestLatency", "ActiveInstances"} | usage
    assert (total("Requests"), total("2xxStatusResponses"), total("5xxStatusResponses")) == (4, 3, 1)
