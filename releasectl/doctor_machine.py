"""Doctor, this machine and the state: engine, git remote, files, the state's backend and who has it locked.

Comes in: what the tools of this machine say. Goes out: questions, and diagnoses. A state in a folder of one machine is
no place for a team, and a passphrase is a secret that people hand around.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol
from urllib.parse import urlsplit

from releasectl.doctor import Diagnosis, Question, Severity, Subject, known
from releasectl.doctor_facts import Account, Bucket
from releasectl.doctor_wanted import Wanted
from releasectl.errors import Finding
from releasectl.locks import Lock
from releasectl.world import Locks


class Tool(Protocol):
    """A program of this machine."""

    @property
    def path(self) -> object:
        """Where it is."""

    @property
    def version(self) -> str:
        """Which one it is."""


@dataclass(frozen=True)
class Machine:
    """What is asked of this machine. Each raises ControllerError where there is no answer."""

    engine: Callable[[], Tool]
    origin: Callable[[], str]  # the remote's address, "" without a remote
    tip: Callable[[], str]  # of main on the remote, "" without that branch
    findings: Callable[[], Iterable[Finding]]  # what `releasectl check` says
    locks: Locks


def questions(machine: Machine) -> Iterator[Question]:
    """What no environment is needed for."""
    yield Question(Subject("toolchain", "pulumi"), machine.engine, engine, must=True)
    yield Question(Subject("toolchain", "git"), lambda: (machine.origin(), machine.tip()), remote, must=True)
    yield Question(Subject("files", "the work tree"), lambda: tuple(machine.findings()), files, must=True)


def state_questions(
    wanted: Wanted, machine: Machine, account: Account, *, project: str, overridden: str, is_first: bool
) -> Iterator[Question]:
    """Where an environment's state is. `overridden` is PULUMI_BACKEND_URL, which wins over the settings."""
    subject = Subject("state", wanted.environment)
    url = overridden or wanted.backend
    place = urlsplit(url)
    if place.scheme in ("file", "s3"):
        held = partial(machine.locks.held, wanted.backend, project, wanted.environment)
        yield Question(subject, held, partial(locked, url))
    if place.scheme == "s3":
        region = dict(pair.split("=", 1) for pair in place.query.split("&") if "=" in pair).get("region", wanted.region)
        yield Question(subject, partial(account.bucket, region, place.netloc), partial(bucket, place.netloc), must=True)
    else:
        yield known(subject, url, partial(elsewhere, wanted))
    yield known(Subject("secrets", wanted.environment), is_first, partial(protected, wanted))


# ---- what the facts mean ----


def engine(subject: Subject, tool: Tool) -> Iterator[Diagnosis]:
    """The engine that applies."""
    yield subject.fine(f"{tool.version}, {tool.path}")


def remote(subject: Subject, said: tuple[str, str]) -> Iterator[Diagnosis]:
    """The remote that main is on."""
    origin, tip = said
    if not origin:
        yield subject.problem("the clone has no remote `origin`", "Run `git remote add origin URL`.")
    elif not tip:
        yield subject.problem(f"{origin} has no branch main", "Run `git push origin HEAD:main`.")
    else:
        yield subject.fine(f"{origin} answers; main is at {tip[:12]}")


def files(subject: Subject, findings: tuple[Finding, ...]) -> Iterator[Diagnosis]:
    """The files of desired state."""
    for each in findings:
        yield Diagnosis(Severity.PROBLEM, subject.rule, each.where, each.message, each.remedy)
    if not findings:
        yield subject.fine("pipeline, releases and settings are valid, and no name is too long")


def locked(url: str, subject: Subject, held: tuple[Lock, ...]) -> Iterator[Diagnosis]:
    """Who works on the state right now, or died over it."""
    for lock in held:
        yield subject.warning(
            f"{lock} has locked it", f"Wait for that update. If its process is dead: releasectl unlock {subject.where}"
        )
    if not held:
        yield subject.fine(f"{url} answers, and nobody has locked it")


def bucket(name: str, subject: Subject, found: Bucket | None) -> Iterator[Diagnosis]:
    """A state that is lost or read by others is the worst that can happen to an environment."""
    if found is None:
        yield subject.problem(f"there is no bucket {name}", "Run `releasectl bootstrap`, or correct the backend.")
        return
    if not found.is_closed:
        yield subject.problem(f"{name} may be opened to the public", "Run `releasectl bootstrap`; it blocks that.")
    if not found.is_versioned:
        yield subject.problem(
            f"{name} keeps no versions, so a damaged state could not be put back", "Run `releasectl bootstrap`."
        )
    if not found.is_encrypted:
        yield subject.warning(f"{name} is encrypted with no key of yours", "Run `releasectl bootstrap`.")
    if found.is_closed and found.is_versioned and found.is_encrypted:
        yield subject.fine(f"{name} is closed to the public, keeps versions, and is encrypted with a key of yours")


def elsewhere(wanted: Wanted, subject: Subject, url: str) -> Iterator[Diagnosis]:
    """State that is in no bucket."""
    remedy = f"Run `releasectl bootstrap --write`: it makes a bucket, and writes it into {wanted.settings}."
    if not url:
        yield subject.warning(
            f"{wanted.settings} names no backend: the state is wherever `pulumi login` pointed last on each machine",
            remedy,
        )
    elif url.startswith("file:"):
        yield subject.warning("the state is in a folder of this machine, so nobody else can release", remedy)
    else:
        yield subject.unknown(f"{url} does not show its locks or its protection", "Look at it in its own console.")


def protected(wanted: Wanted, subject: Subject, is_first: bool) -> Iterator[Diagnosis]:
    """What encrypts the secrets of the settings and of the state."""
    if wanted.secrets_provider not in ("", "passphrase"):
        yield subject.fine(f"they are encrypted by {wanted.secrets_provider.partition('?')[0]}")
    elif is_first:
        yield subject.fine("they are encrypted with a passphrase; a key of KMS needs none to be handed around")
    else:
        yield subject.warning(
            "they are encrypted with a passphrase, which people and jobs have to be given",
            f"Run `releasectl bootstrap`, and write the `secretsprovider` that it prints into {wanted.settings} before "
            "the stack is made; later: `pulumi stack change-secrets-provider`.",
        )
