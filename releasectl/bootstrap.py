"""Bootstrap: make an AWS account ready, once, and find it ready ever after.

Comes in: what is wanted, and the account as it is. Goes out: a plan, then what a person sets in GitHub and in the
settings. Its own state lies in the bucket that it makes, and this is how that begins: the bucket alone is made first,
by calls that may be repeated; everything else is declared by `stacks/bootstrap` and made by the engine, its state in
that bucket from the first step on. So nothing has to be moved, a run from anywhere finds the state, and the next run
goes on with one that was cut off. As long as there is no state, a plan is made beside an empty one that is nobody's.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from releasectl import apply
from releasectl.account import AUDIENCE, Account, Repository, Stage
from releasectl.apply import Result
from releasectl.errors import ControllerError, Retry
from releasectl.pipeline import Pipeline
from releasectl.plan import Plan

PROJECT = "release-controller-bootstrap"
STACK = "account"
PROGRAM = "stacks/bootstrap"
PROVIDER = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
# The state has no secrets, so this protects nothing.
PASSPHRASE = "bootstrap"  # noqa: S105 - see above
MESSAGE = "releasectl bootstrap"


class CannotBootstrap(ControllerError):
    """The account, or what is asked for it, does not allow to make it ready; nothing was changed.

    Why: It was made ready for another repository, two environments have names of which one begins with the other, or
    GitHub's OIDC provider is there and not for AWS.
    Do: Do what the message says, then run `releasectl bootstrap` again.
    """

    exit_code = 2
    retry = Retry.AFTER_CHANGE


class CannotFinish(ControllerError):
    """AWS refused a part of what makes the account ready; what was made before is recorded.

    Why: Whoever runs it lacks a permission, or a limit of the account is reached.
    Do: Mend the cause that the message names, then run `releasectl bootstrap` again: it goes on where it stopped.
    """

    retry = Retry.BACKOFF


class Cloud(Protocol):
    """The account, as far as it is looked at before there is a state."""

    def has_bucket(self, name: str, region: str, account: str) -> bool:
        """Is the bucket there, and ours? Raises BucketTaken."""

    def make_bucket(self, name: str, region: str, account: str) -> None:
        """Make it; it may be there already."""

    def audiences(self, provider: str) -> tuple[str, ...] | None:
        """Whom the OIDC provider's tokens are for; None without a provider."""

    def find(self, kind: str, inputs: Mapping[str, object], account: Account) -> str:
        """The id of an object that somebody had begun to make; "" when it is not there or is simply made again."""


class Session(Protocol):
    """One running engine."""

    def inventory(self) -> Plan:
        """What the state holds."""

    def preview(self) -> Plan:
        """What would change."""

    def settle(self, made: Mapping[str, str]) -> None:
        """Resolve what was begun."""

    def up(self) -> Result:
        """Change it."""


class Work(Protocol):
    """A work folder in which the program runs."""

    def lay_out(self, account: Account) -> None:
        """Give the program what it reads."""

    def state(self) -> Mapping[str, Any]:
        """What the last operation found as state, {} when there is none."""

    def free(self, url: str) -> tuple[str, ...]:
        """Take away the locks of engines that died here; those. Raises StackLocked for any other."""

    def open(self, backend: str) -> AbstractContextManager[Session]:
        """An engine on a state; "" is an empty one that is nobody's."""


@dataclass(frozen=True)
class Past:
    """What an earlier run left. `begun` is what an engine that died was making, {urn: (type, inputs)}."""

    is_there: bool = False
    repository: Repository | None = None
    owns_provider: bool = False
    begun: Mapping[str, tuple[str, Mapping[str, object]]] = field(default_factory=dict)
    outputs: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """What would be done; nothing was."""

    account: Account
    plan: Plan
    past: Past
    makes_bucket: bool

    @property
    def is_ready(self) -> bool:
        """Nothing is left to do."""
        return not self.plan.changes and not self.plan.pending and self.plan.outputs == self.past.outputs


def stages(pipeline: Pipeline, only: Iterable[str]) -> tuple[Stage, ...]:
    """Those of the pipeline that live in this account. Raises CannotBootstrap, UnknownEnvironment."""
    wanted = set(only)
    for name in wanted:
        pipeline.environment(name)
    found = tuple(
        Stage(one.name, one.promotes_from) for one in pipeline.environments if not wanted or one.name in wanted
    )
    for one in found:
        for other in found:
            if other.name.startswith(f"{one.name}-"):
                raise CannotBootstrap(
                    f"telling {one.name} and {other.name} apart: permissions go by the beginning of a name",
                    f"Rename one of them, so that no environment's name begins with `{one.name}-`.",
                )
    return found


def remembered(state: Mapping[str, Any]) -> Past:
    """What is in a state."""
    deployment = state.get("deployment") or {}
    resources = deployment.get("resources") or ()
    if not state:
        return Past()
    outputs = next((one.get("outputs") or {} for one in resources if one["type"] == "pulumi:pulumi:Stack"), {})
    pending = [one["resource"] for one in deployment.get("pending_operations") or () if one["type"] == "creating"]
    marks = next(
        (tags for one in resources if "repository" in (tags := (one.get("inputs") or {}).get("tags") or {})), {}
    )
    return Past(
        is_there=True,
        repository=_repository(marks) if marks else None,
        owns_provider=any(one["type"] == PROVIDER for one in (*resources, *pending)),
        begun={one["urn"]: (one["type"], one.get("inputs") or {}) for one in pending},
        outputs=outputs,
    )


def look(account: Account, cloud: Cloud, work: Work, *, asked: Repository) -> Look:
    """What would be done for `account`. `asked` is what a person said of the repository, in whole or in part.

    Raises CannotBootstrap, BucketTaken, and what AWS and the engine raise.
    """
    there = cloud.has_bucket(account.bucket, account.region, account.id)
    past = Past()
    work.lay_out(account)
    if there:
        with work.open(backend(account)) as session:
            session.inventory()
        past = remembered(work.state())
    account = _decided(account, past, cloud, asked)
    work.lay_out(account)
    with work.open(backend(account) if past.is_there else "") as session:
        return Look(account, session.preview(), past, makes_bucket=not there)


def run(looked: Look, cloud: Cloud, work: Work, *, say: Callable[[str], None]) -> Result:
    """Do it. It may be asked again at any time, whatever the last time came to. Raises StackLocked."""
    account = looked.account
    if looked.is_ready:
        return Result(looked.plan)
    if looked.makes_bucket:
        say(f"making the bucket {account.bucket}")
        cloud.make_bucket(account.bucket, account.region, account.id)
    work.lay_out(account)
    for lock in work.free(backend(account)):
        say(f"taking away the lock of a dead engine: {lock}")
    with work.open(backend(account)) as session:
        session.inventory()
        begun = remembered(work.state()).begun
        if begun:
            # Never an update over what was begun: it would make a second one.
            say(f"looking up {len(begun)} that an engine which died had begun")
            session.settle(_found(begun, cloud, account))
        result = session.up()
        again = {one.urn: (one.type, one.inputs) for one in apply.there_already(result)}
        made = {urn: found for urn, found in _found(again, cloud, account).items() if found}
        if made:
            session.settle(made)
            result = session.up()
    return result


def backend(account: Account, below: str = "") -> str:
    """The URL of a state in the bucket; bootstrap's own is at the root, where no environment's role may read."""
    place = f"{account.bucket}/{below}" if below else account.bucket
    return f"s3://{place}?region={account.region}&awssdk=v2"


def failed(result: Result) -> ControllerError | None:
    """What went wrong, None when all went well."""
    if not result.problems:
        return None
    lines = "\n".join(f"  {finding}" for finding in apply.findings(result))
    return CannotFinish(
        f"making the account ready: {len(result.problems)} of it failed, the rest is done\n{lines}",
        "Mend the cause, such as a permission that you lack, then run `releasectl bootstrap` again: it goes on.",
    )


def _decided(account: Account, past: Past, cloud: Cloud, asked: Repository) -> Account:
    """With what an earlier run knew, and with the OIDC provider that is there."""
    known = past.repository
    if known and not asked.name and known.name.lower() != account.repository.name.lower():
        raise CannotBootstrap(
            f"making the account {account.id} ready for {account.repository.name}: it is ready for {known.name}, and "
            "its roles would trust another repository from then on",
            f"Say so: `--repository {account.repository.name}`; or run it in a clone of {known.name}.",
        )
    audiences = cloud.audiences(account.provider)
    owns = past.owns_provider or audiences is None
    if audiences is not None and not owns and AUDIENCE not in audiences:
        raise CannotBootstrap(
            f"adopting {account.provider}: it is not for {AUDIENCE}, and it is not ours to change",
            f"Add it: aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn "
            f"{account.provider} --client-id {AUDIENCE}",
        )
    repository = account.repository
    if known and known.name.lower() == repository.name.lower() and not (repository.id and repository.owner_id):
        repository = Repository(known.name, repository.id or known.id, repository.owner_id or known.owner_id)
    return replace(account, repository=repository, owns_provider=owns)


def _found(
    begun: Mapping[str, tuple[str, Mapping[str, object]]], cloud: Cloud, account: Account
) -> dict[str, str]:  # fmt: skip
    looked = {urn: cloud.find(kind, inputs, account) for urn, (kind, inputs) in begun.items()}
    return {urn: found for urn, found in looked.items() if found}


def _repository(tags: Mapping[str, str]) -> Repository:
    """By what everything is tagged with: outputs are there only after a run that went well."""
    return Repository(tags["repository"], tags.get("repository-id", ""), tags.get("repository-owner-id", ""))


def project_file() -> str:
    """The program's `Pulumi.yaml`."""
    return json.dumps({"name": PROJECT, "runtime": "python"})
