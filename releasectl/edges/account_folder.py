"""The work folder in which the program of an account runs.

Comes in: a clone and a temporary folder. Goes out: the program with what it reads, the state that its engine found,
and an engine on the one state that is meant: whatever backend a person is logged in to, bootstrap's is in its bucket.
"""

import json
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from releasectl import bootstrap, target
from releasectl.account import FILE, Account
from releasectl.edges.locks import Locks
from releasectl.edges.pulumi import Engine, Session
from releasectl.locks import StackLocked

# Made once by `pulumi stack init` with the passphrase, so that every run has the same.
SALT = "v1:Vi1YHtC/PF0=:v1:wJRQo6jN1ZBBVJdR:/tTb5zlRaNSefGKYbH43a5qLB8Ie1A=="


@dataclass(frozen=True)
class AccountFolder:
    """`root` is the clone, whose files are taken as they lie there."""

    root: Path
    folder: Path
    region: str
    engine: Engine

    def lay_out(self, account: Account) -> None:
        """The program and what it reads; it may be laid out again."""
        checkout = self.folder / "checkout"
        shutil.copytree(
            self.root / "stacks", checkout / "stacks", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
        (checkout / "Pulumi.yaml").write_text(bootstrap.project_file())
        (checkout / f"Pulumi.{bootstrap.STACK}.yaml").write_text(json.dumps({"encryptionsalt": SALT}))
        (checkout / "environments").mkdir(exist_ok=True)
        for stage in account.stages:
            name = target.settings_path(stage.name)
            (checkout / "environments" / name).write_bytes((self.root / name).read_bytes())
        (checkout / FILE).write_text(account.as_json())

    def state(self) -> Mapping[str, Any]:
        """What the engine exported last, its secrets encrypted; {} when there was no stack."""
        path = self.folder / "state.json"
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        path.unlink(missing_ok=True)
        return found

    def free(self, url: str) -> tuple[str, ...]:
        """Take away the locks of engines that died on this host; those. Raises StackLocked for any other."""
        known = Locks(environment={})
        held = known.held(url, bootstrap.PROJECT, bootstrap.STACK)
        ours = [lock for lock in held if lock.host == socket.gethostname() and not known.lives(lock)]
        others = [lock for lock in held if lock not in ours]
        if others:
            where = " ".join(lock.where.partition("?")[0] for lock in others)
            raise StackLocked(
                f"making the account ready: {'; '.join(map(str, others))} holds its state",
                f"Wait for that update to end. If its process is dead: aws s3 rm {where}",
            )
        for lock in ours:
            known.remove(lock)
        return tuple(map(str, ours))

    @contextmanager
    def open(self, backend: str) -> Iterator[Session]:
        """An engine; "" is for a plan on nothing."""
        nothing = self.folder / "nothing"
        nothing.mkdir(exist_ok=True)
        fixed = {
            "PULUMI_BACKEND_URL": backend or nothing.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": bootstrap.PASSPHRASE,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }
        with self.engine.open(
            self.folder,
            bootstrap.STACK,
            message=bootstrap.MESSAGE,
            variables={},
            program=bootstrap.PROGRAM,
            fixed=fixed,
        ) as session:
            yield session
