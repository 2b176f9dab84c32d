"""What tests of doctor begin with: an environment that wants something, and who answers.

Each function asks about one subject and gives its diagnoses.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from releasectl import (
    doctor,
    doctor_account,
    doctor_bootstrap,
    doctor_machine,
    doctor_network,
    doctor_repository,
)
from releasectl.doctor import Diagnosis, Question, Subject
from releasectl.doctor_facts import (
    Place,
    Quota,
)
from releasectl.doctor_machine import Machine
from releasectl.doctor_wanted import Wanted
from releasectl.errors import ControllerError
from releasectl.outputs import read as read_outputs
from releasectl.pipeline import parse_pipeline
from tests.twins import ACCOUNT, PIPELINE, REGION
from tests.twins.doctor import Account, Forge
from tests.twins.outside import Locks

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:release-controller-staging"
IMAGES = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/release-controller-staging-web"
CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/one"
NETWORK = {"vpc": "vpc-00000001", "subnets": ["subnet-00000001", "subnet-00000002"], "public_addresses": True}
ENOUGH = {kind: Quota(kind, 50, 1) for kind in ("app-runner", "load-balancers", "fargate")}
ABOUT = Subject("rule", "staging")
ENVIRONMENTS = parse_pipeline("pipeline.yaml", PIPELINE).environments
STAGING, PRODUCTION = ENVIRONMENTS


class Lost(ControllerError):
    """Nothing brings an answer."""


def wanted(runtime: str = "fargate", *, alerts: Any = None, network: Any = None, **service: object) -> Wanted:
    """Staging with one service."""
    return Wanted(
        "staging",
        {
            "aws:region": REGION,
            "aws:allowedAccountIds": [ACCOUNT],
            "release-controller:boundary": f"arn:aws:iam::{ACCOUNT}:policy/releasectl-staging-boundary",
            "release-controller:alerts": {"email": ["ops@example.com"]} if alerts is None else alerts,
            "release-controller:network": NETWORK if network is None else network,
            "release-controller:services": {"web": {"runtime": runtime, **service}},
        },
    )


def deployed(of: Wanted, **service: object) -> Wanted:
    web = {"runtime": "fargate", "repository": IMAGES, "service": "arn:aws:ecs:x", **service}
    told = {"environment": "staging", "region": REGION, "topic": TOPIC, "services": {"web": web}, "shape": []}
    return replace(of, outputs=read_outputs(told))


def answers(questions: Iterable[Question], rule: str) -> list[Diagnosis]:
    return [one for one in doctor.examine(list(questions)) if one.rule == rule]


def account(rule: str, of: Wanted, cloud: Account) -> list[Diagnosis]:
    cloud.quotas = cloud.quotas or ENOUGH
    return answers([*doctor_account.questions(of, cloud), *doctor_network.questions(of, cloud)], rule)


def only(diagnoses: Iterable[Diagnosis]) -> Diagnosis:
    [one] = diagnoses
    return one


def machine(locks: Locks | None = None, **changed: Any) -> Machine:
    tool = Binary()
    parts = {"engine": lambda: tool, "origin": lambda: "/remote.git", "tip": lambda: "a" * 40, "findings": list}
    return Machine(**{**parts, **changed}, locks=locks or Locks())


class Binary:
    path, version = Path("/opt/pulumi"), "3.258.0"


def toolchain(**changed: Any) -> list[Diagnosis]:
    return list(doctor.examine(list(doctor_machine.questions(machine(**changed)))))


def state(url: str, cloud: Account | None = None, locks: Locks | None = None) -> list[Diagnosis]:
    asking = machine(locks or Locks(everywhere=True))
    project = "release-controller"
    found = doctor_machine.state_questions(
        wanted(), asking, cloud or Account(), project=project, overridden=url, is_first=True
    )  # fmt: skip
    return answers(found, "state")


def bootstrap(cloud: Account, repository: str = "acme/shop", *, is_first: bool = False) -> list[Diagnosis]:
    return answers(doctor_bootstrap.questions(wanted(), cloud, repository, is_first=is_first), "bootstrap")


RULES = ("pull_request", "non_fast_forward", "deletion")
GIVEN = {"RELEASE_APP_CLIENT_ID": "Iv1"} | {
    f"AWS_{name}": "x"
    for name in ("BUILD_ROLE", "PREVIEW_ROLE_STAGING", "REGION_STAGING", "PREVIEW_ROLE_PRODUCTION", "REGION_PRODUCTION")
}
OURS = Place(("required_reviewers",), ("branch:main",), variables={"AWS_DEPLOY_ROLE": "x", "AWS_REGION": REGION})


def repository(forge: Forge) -> list[Diagnosis]:
    found = doctor_repository.questions("git@github.com:acme/shop.git", "acme/shop", ENVIRONMENTS, forge)
    return list(doctor.examine(list(found)))
