"""Locks of Pulumi's own backends: read each, take exactly one away.

Comes in: the backend's URL, project and stack. Goes out: locks. The layout is the engine's (pkg/backend/diy/lock.go):
`.pulumi/locks/organization/<project>/<stack>/<uuid>.json` with pid, username, hostname, timestamp. `pulumi cancel`
would remove every lock of the stack, whoever holds it. A backend that is neither a folder nor S3 shows no locks.
"""

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import boto3

from releasectl.edges import aws
from releasectl.errors import ControllerError
from releasectl.locks import Lock

FOLDER = ".pulumi/locks/organization"


class CannotReadLocks(ControllerError):
    """The state's backend does not show its locks.

    Why: The folder of the state may not be read by this user, or holds something else where locks belong.
    Do: Check that you may read the folder that the message names; nothing is released before its locks are known.
    """


@dataclass(frozen=True)
class Locks:
    """The locks of any stack whose backend we may read. `environment` is the person's, whose backend wins."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def held(self, backend: str, project: str, environment: str) -> tuple[Lock, ...]:
        """Every lock of a stack, oldest first. PULUMI_BACKEND_URL wins over `backend`, as for the CLI."""
        url = self.environment.get("PULUMI_BACKEND_URL") or backend
        read = {"file": _in_folder, "s3": _in_bucket}.get(urlsplit(url).scheme)
        found = read(url, f"{FOLDER}/{project}/{environment}") if read else ()
        return tuple(sorted(found, key=lambda lock: lock.at))

    def lives(self, lock: Lock) -> bool:
        """Does the engine of a lock live on this host? A pid that somebody else has by now is no engine."""
        if lock.host != socket.gethostname() or lock.pid <= 0:
            return False
        if not Path("/proc/self").exists():
            return _is_there(lock.pid)
        try:
            return "pulumi" in Path(f"/proc/{lock.pid}/cmdline").read_text(errors="replace")
        except FileNotFoundError:
            return False

    def make_readable(self, backend: str, project: str, environment: str) -> tuple[str, ...]:
        """Make the state readable again that an engine was killed over, or a disk was full; what was done.

        In a folder each file has attributes beside it, which are written in place: a kill leaves them empty, and then
        the whole state is `failed to load checkpoint: EOF` (measured). They hold nothing that is needed. A full disk
        cuts the state itself short; `.bak` is what it was one write before, and the engine does no step whose begin it
        could not write down, so what `.bak` lacks is at most the end of steps that it tells as pending. An object of
        S3 is replaced in one call.
        """
        url = self.environment.get("PULUMI_BACKEND_URL") or backend
        if urlsplit(url).scheme != "file":
            return ()
        folder = _root(url) / ".pulumi/stacks" / project
        damaged = [path for path in sorted(folder.glob(f"{environment}.json*.attrs")) if not _is_json(path)]
        for path in damaged:
            path.unlink(missing_ok=True)
        state, before = folder / f"{environment}.json", folder / f"{environment}.json.bak"
        done = [f"{path.name} removed" for path in damaged]
        if state.exists() and not _is_json(state) and before.exists() and _is_json(before):
            fresh = state.with_suffix(".mended")
            shutil.copyfile(before, fresh)
            fresh.replace(state)
            state.with_name(f"{state.name}.attrs").unlink(missing_ok=True)  # of the bytes that were cut short
            done.append(f"{state.name} is again what {before.name} has")
        return tuple(done)

    def remove(self, lock: Lock) -> None:
        """Take exactly this lock away."""
        place = urlsplit(lock.where)
        if place.scheme == "file":
            Path(unquote(place.path)).unlink(missing_ok=True)
            return
        with aws.asking(f"removing {lock.where}"):
            _s3(place.query).delete_object(Bucket=place.netloc, Key=place.path.lstrip("/"))


def _root(url: str) -> Path:
    return Path(unquote(url.removeprefix("file://").partition("?")[0])).expanduser()


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True


def _in_folder(url: str, below: str) -> Iterator[Lock]:
    root = _root(url)
    try:
        for path in (root / below).glob("*"):  # the engine takes a half-written one for a lock, whatever its name
            if path.suffix == ".attrs":
                continue
            with contextlib.suppress(FileNotFoundError):  # it was let go while we read; the next may still be held
                written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                yield _lock(path.as_uri(), path.read_bytes(), written)
    except OSError as error:
        raise CannotReadLocks(
            f"reading the locks in {root / below}: {error}", "Check that you may read the state's folder."
        ) from error


def _in_bucket(url: str, below: str) -> Iterator[Lock]:
    place = urlsplit(url)
    client = _s3(place.query)
    prefix = "/".join(part for part in (place.path.strip("/"), below) if part) + "/"
    with aws.asking(f"reading the locks in s3://{place.netloc}/{prefix}"):
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=place.netloc, Prefix=prefix):
            for item in page.get("Contents", ()):
                try:
                    raw = client.get_object(Bucket=place.netloc, Key=item["Key"])["Body"].read()
                except client.exceptions.NoSuchKey:
                    continue
                yield _lock(f"s3://{place.netloc}/{item['Key']}?{place.query}", raw, item["LastModified"])


def _s3(query: str) -> Any:
    """As the backend's URL says: region, endpoint (with or without a scheme), profile.

    https://www.pulumi.com/docs/iac/concepts/state-and-backends/#aws-s3
    """
    asked = {key: values[-1] for key, values in parse_qs(query).items()}
    endpoint = asked.get("endpoint")
    if endpoint and "://" not in endpoint:
        endpoint = f"{'http' if asked.get('disableSSL') == 'true' else 'https'}://{endpoint}"
    profile = asked.get("profile")
    session = boto3.Session(profile_name=profile) if profile else aws.session(asked.get("region", ""))
    return session.client("s3", endpoint_url=endpoint, region_name=asked.get("region"), config=aws.CONFIG)


def _lock(where: str, raw: bytes, written: datetime) -> Lock:
    """What a lock says; a damaged one keeps only when it was written."""
    try:
        said = json.loads(raw)
        at = datetime.fromisoformat(said["timestamp"])
        return Lock(where, str(said["username"]), str(said["hostname"]), int(said["pid"]), at)
    except (ValueError, KeyError, TypeError):
        return Lock(where, "", "", 0, written)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
