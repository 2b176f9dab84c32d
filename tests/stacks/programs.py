"""One service on one of the runtimes, run whole by the engine that records; and what each runtime declares."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.stacks.recording_engine import ACCOUNT, REGION, Recording, record
from tests.stacks.texts import DIGEST, NETWORK, release_text, settings_text

RUNTIMES = ("app-runner", "ecs-express", "fargate")
URL = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/release-controller-staging-web"
NAME = "release-controller-staging-web"
SHARED = {
    ("aws", "aws"),
    ("Environment", "staging"),
    *((kind, "alerts") for kind in ("Alias", "Key", "KeyPolicy", "Topic", "TopicPolicy")),
}
REPOSITORY = {("Repository", "web"), ("LifecyclePolicy", "web")}
WATCHED = {
    ("Dashboard", "environment"),
    ("EventRule", "web-failed-deployment"),
    ("EventTarget", "web-failed-deployment"),
    *(("MetricAlarm", f"web-{about}") for about in ("cpu", "errors", "latency", "memory")),
}
_ECS = {
    ("Cluster", "cluster"),
    ("LogGroup", "web"),
    ("MetricAlarm", "web-instances"),
    ("Role", "web-execution"),
    ("Role", "web-task"),
    ("RolePolicy", "web-execution"),
}
OWN: Mapping[str, set[tuple[str, str]]] = {
    "app-runner": {
        ("AppRunner", "web"),
        ("AutoScalingConfigurationVersion", "web"),
        ("Role", "web-access"),
        ("Role", "web-instance"),
        ("RolePolicy", "web-access"),
        ("Service", "web"),
    },
    "ecs-express": {
        *_ECS,
        ("EcsExpress", "web"),
        ("ExpressGatewayService", "web"),
        ("Role", "web-infrastructure"),
        ("RolePolicyAttachment", "web-infrastructure"),
    },
    "fargate": {
        *_ECS,
        ("Fargate", "web"),
        ("Listener", "web-http"),
        ("LoadBalancer", "web"),
        ("Policy", "web"),
        ("SecurityGroup", "web-entry"),
        ("SecurityGroup", "web-tasks"),
        ("SecurityGroupEgressRule", "web-entry-tasks"),
        ("SecurityGroupEgressRule", "web-tasks"),
        ("SecurityGroupIngressRule", "web-clients-80-0"),
        ("SecurityGroupIngressRule", "web-entry"),
        ("Service", "web"),
        ("Target", "web"),
        ("TargetGroup", "web"),
        ("TaskDefinition", "web"),
    },
}


def web(root: Path, digest: str = DIGEST, more: str = "", *, runtime: str = "app-runner", **texts: Any) -> Recording:
    """The program with one service; what is needed of the network is there."""
    network = texts.pop("network", "" if runtime == "app-runner" else NETWORK)
    settings = settings_text({"web": more}, texts.pop("email", "[]"), runtime=runtime, network=network)
    return record(
        root, release=release_text({"web": digest}, texts.pop("restart", "")), settings_file=settings, **texts
    )


def statements(recording: Recording) -> list[dict[str, Any]]:
    """Every statement of every policy that a service carries; a key's own knows no resource but `*`."""
    documents = [
        registration.inputs[key]
        for registration in recording.registrations
        for key in ("policy", "assumeRolePolicy")
        if key in registration.inputs and registration.key[0] not in ("LifecyclePolicy", "KeyPolicy")
    ]
    return [statement for document in documents for statement in json.loads(document)["Statement"]]


def differing(left: Any, right: Any, path: str = "") -> set[str]:
    """The paths at which two values differ; those of JSON texts go on inside."""
    if isinstance(left, dict) and isinstance(right, dict):
        keys = set(left) | set(right)
        return {
            found for key in keys for found in differing(left.get(key), right.get(key), f"{path}.{key}".lstrip("."))
        }
    if _named(left) and _named(right):
        return differing({one["name"]: one for one in left}, {one["name"]: one for one in right}, path)
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        pairs = enumerate(zip(left, right, strict=True))
        return {found for index, pair in pairs for found in differing(*pair, f"{path}[{index}]")}
    if all(isinstance(one, str) and one[:1] in ("[", "{") for one in (left, right)):
        return differing(json.loads(left), json.loads(right), path)
    return set() if left == right else {path}


def _named(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and set(one) == {"name", "value"} for one in value)
    )


class _Ecs(BaseHTTPRequestHandler):
    """Says of every Express service which load balancer AWS made for it."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        balancing = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}"
        groups = [{"arn": f"{balancing}:targetgroup/ecs-{colour}/{colour}"} for colour in ("blue", "green")]
        path = {"loadBalancer": {"arn": f"{balancing}:loadbalancer/app/shared/1234"}, "targetGroups": groups}
        answers = {
            "DescribeExpressGatewayService": {"service": {"activeConfigurations": [{"serviceRevisionArn": "r"}]}},
            "DescribeServiceRevisions": {"serviceRevisions": [{"ecsManagedResources": {"ingressPaths": [path]}}]},
        }
        body = json.dumps(answers[self.headers["X-Amz-Target"].rpartition(".")[2]]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def ecs() -> Iterator[str]:
    """The address of an ECS for as long as it is needed."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Ecs)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
