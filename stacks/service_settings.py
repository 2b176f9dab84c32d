"""How one service runs: runtime, size, scaling, variables, secrets, domain, permissions, as a frozen value.

Comes in: the part of a settings file below a service's name. Goes out: `ServiceSettings`, or findings. What one
runtime offers and another does not is judged here; what needs the environment's network is judged in settings.py.
It never asks the cloud.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from releasectl.document import shown, wrong
from stacks.alert_settings import Alarms
from stacks.kinds import (
    Between,
    CertificateArn,
    Environment,
    Host,
    KeyArn,
    OptionalUrlPath,
    Permissions,
    Port,
    SecretArn,
    UrlPath,
    Variable,
)

Runtime = Literal["app-runner", "ecs-express", "fargate"]
TITLES = {"app-runner": "App Runner", "ecs-express": "ECS Express Mode", "fargate": "Fargate"}

# Which MB of memory App Runner offers with how many CPU units (aws-cdk apprunner-alpha, `Memory`).
APP_RUNNER_MEMORY = {
    256: (512, 1024),
    512: (1024,),
    1024: (2048, 3072, 4096),
    2048: (4096, 6144),
    4096: (8192, 10240, 12288),
}
# The same for Fargate on Linux, which Express Mode runs on (AmazonECS, task_definition_parameters, `cpu`).
FARGATE_MEMORY = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
}
MEMORY = {"app-runner": APP_RUNNER_MEMORY, "ecs-express": FARGATE_MEMORY, "fargate": FARGATE_MEMORY}
MOST_OF_APP_RUNNER = 25  # instances


def _runtime(info: ValidationInfo) -> str:
    """The runtime of the service that is being judged; a wrong one is told by itself."""
    return str(info.data.get("runtime", "app-runner"))


def _cpu(cpu: int, info: ValidationInfo) -> int:
    offered = MEMORY[_runtime(info)]
    if cpu in offered:
        return cpu
    choices = ", ".join(map(str, offered))
    raise wrong(f"is {cpu}, which {TITLES[_runtime(info)]} does not offer", f"Write one of: {choices}.")


def _memory(memory: int, info: ValidationInfo) -> int:
    cpu = info.data.get("cpu")
    if cpu is None or memory in MEMORY[_runtime(info)][cpu]:
        return memory
    choices = ", ".join(map(str, MEMORY[_runtime(info)][cpu]))
    said = f"is {memory}, which {TITLES[_runtime(info)]} does not offer with cpu {cpu}"
    raise wrong(said, f"Write one of: {choices}.")


def _not_under_min(most: int, info: ValidationInfo) -> int:
    least = info.data.get("min", 1)
    if most >= least:
        return most
    raise wrong(f"is {most}, less than `min`, {least}", f"Raise it to at least {least}, or lower `min`.")


def _apart(secrets: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
    twice = sorted(set(secrets) & set(info.data.get("variables", {})))
    if not twice:
        return secrets
    raise wrong(f"and `variables` both set {', '.join(map(shown, twice))}", "Delete it from one of the two.")


Instances = Annotated[int, Between(1, 1000)]
Concurrency = Annotated[int, Between(1, 200)]
TargetPercent = Annotated[int, Between(10, 90)]
StepPercent = Annotated[int, Between(3, 100)]  # 3 is the least that ECS takes for a linear step
Minutes = Annotated[int, Between(0, 1440)]


@dataclass(frozen=True)
class Scaling:
    """`min` and `max` instances. App Runner adds one when an instance has `concurrency` requests at once (80 if left
    out), the others when the CPU is busier than `cpu_percent` (60 if left out).
    """

    min: Instances = 1
    max: Annotated[Instances, AfterValidator(_not_under_min), Field(validate_default=True)] = 4
    concurrency: Concurrency | None = None
    cpu_percent: TargetPercent | None = None


@dataclass(frozen=True)
class Domain:
    """The service's own name, and the ACM certificate for it. App Runner makes its own certificate: leave it out."""

    name: Host
    certificate: CertificateArn = ""


@dataclass(frozen=True)
class Rollout:
    """How Fargate brings a release in. `rolling` replaces instances; the others run both and shift the traffic: all
    at once (`blue-green`), in equal steps (`linear`), or one step and then the rest (`canary`).

    `step_percent` of the traffic every `step_minutes`; after the last step both run on for `bake_minutes`.
    """

    strategy: Literal["rolling", "blue-green", "linear", "canary"] = "rolling"
    step_percent: StepPercent = 10
    step_minutes: Minutes = 5
    bake_minutes: Minutes = 5


def _fits_runtime(scaling: Scaling, info: ValidationInfo) -> Scaling:
    runtime = _runtime(info)
    if runtime != "app-runner":
        if scaling.concurrency is not None:
            remedy = "Delete it; `cpu_percent` says when an instance is added."
            raise wrong(f"has `concurrency`, which {TITLES[runtime]} does not know", remedy)
    elif scaling.cpu_percent is not None:
        raise wrong("has `cpu_percent`, which App Runner does not know", "Delete it; `concurrency` takes its place.")
    elif scaling.max > MOST_OF_APP_RUNNER:
        said = f"asks for {scaling.max} instances; App Runner runs at most {MOST_OF_APP_RUNNER}"
        raise wrong(said, f"Lower `max` to {MOST_OF_APP_RUNNER}, or choose another runtime.")
    return scaling


def _fits_domain(domain: Domain | None, info: ValidationInfo) -> Domain | None:
    runtime = _runtime(info)
    if domain is None:
        return None
    if runtime == "ecs-express":
        raise wrong(
            "is not to be had with ECS Express Mode, which serves on a name of AWS's own", "Choose `fargate` for it."
        )
    if runtime == "app-runner" and domain.certificate:
        raise wrong("has a certificate, and App Runner makes its own", "Delete `certificate`.")
    if runtime == "fargate" and not domain.certificate:
        raise wrong("has no certificate", "Ask Certificate Manager for one in this region and write its ARN.")
    return domain


def _only_fargate(value: "Rollout | str", info: ValidationInfo) -> "Rollout | str":
    default = Rollout() if isinstance(value, Rollout) else "x86_64"
    if _runtime(info) == "fargate" or value == default:
        return value
    raise wrong(f"is for fargate alone; {TITLES[_runtime(info)]} decides it by itself", "Delete it.")


def _other(leaving: str, info: ValidationInfo) -> str:
    """Both run during a move, with one size."""
    if leaving == _runtime(info):
        said = f"is {shown(leaving)}, the runtime that the service has"
        raise wrong(said, "Name the runtime that it had before, or delete the line.")
    cpu, memory = info.data.get("cpu"), info.data.get("memory")
    if leaving and cpu and memory and memory not in MEMORY[leaving].get(cpu, ()):
        said = f"is {shown(leaving)}, which does not offer cpu {cpu} with memory {memory}"
        raise wrong(said, "Keep a size that both runtimes offer until the move is over.")
    return leaving


@dataclass(frozen=True)
class ServiceSettings:
    """How one service runs. `cpu` in units (1024 is one vCPU), `memory` in MB; `version_path` is "" if it has none.

    `secrets` maps variables to ARNs, `secrets_key` is the KMS key they are encrypted with, if it is your own.
    `registry` names the environment whose image repository is used; "" is an own one. `private` gives it no public
    address. `permissions` is an IAM policy in `stacks/` that the service's role gets. `leaving` is the runtime that
    it moves away from: that one runs on beside, without protection, until the line goes.
    """

    runtime: Runtime
    cpu: Annotated[Literal[256, 512, 1024, 2048, 4096, 8192, 16384], AfterValidator(_cpu)] = 1024
    memory: Annotated[int, AfterValidator(_memory), Field(validate_default=True)] = 2048
    architecture: Annotated[Literal["x86_64", "arm64"], AfterValidator(_only_fargate)] = "x86_64"
    port: Port = 8000
    health_path: UrlPath = "/healthz"
    version_path: OptionalUrlPath = "/version"
    scaling: Annotated[Scaling, AfterValidator(_fits_runtime)] = Scaling()
    variables: Mapping[Variable, str] = field(default_factory=dict)
    secrets: Annotated[Mapping[Variable, SecretArn], AfterValidator(_apart)] = field(default_factory=dict)
    secrets_key: KeyArn = ""
    permissions: Permissions = ""
    private: bool = False
    domain: Annotated[Domain | None, AfterValidator(_fits_domain)] = None
    deployment: Annotated[Rollout, AfterValidator(_only_fargate)] = Rollout()
    leaving: Annotated[Literal["", "app-runner", "ecs-express", "fargate"], AfterValidator(_other)] = ""
    alarms: Alarms = field(default_factory=Alarms)
    registry: Environment = ""
