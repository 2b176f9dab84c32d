"""Locks of Pulumi's own backends: read each, take exactly one away.

Comes in: the backend's URL, project and stack. Goes out: locks. The layout is the engine's (pkg/backend/diy/lock.go):
`.pulumi/locks/organization/<project>/<stack>/<uuid>.json` with pid, username, hostname, timestamp. `pulumi cancel`
would remove every lock of the stack, whoever holds it. A backend that is neither a folder nor S3 shows no locks.
"""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from releasectl.edges import aws
from releasectl.errors import ControllerError
from releasectl.locks import Lock

FOLDER = ".pulumi/locks/organization"


class CannotReadLocks(ControllerError):
    """The state's backend does not show its locks."""


@dataclass(frozen=True)
class Locks:
    """The locks of any stack whose backend we may read."""

    def held(self, backend: str, project: str, environment: str) -> tuple[Lock, ...]:
        """Every lock of a stack, oldest first. PULUMI_BACKEND_URL wins over `backend`, as for the CLI."""
        url = os.environ.get("PULUMI_BACKEND_URL") or backend
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

    def remove(self, lock: Lock) -> None:
        """Take exactly this lock away."""
        place = urlsplit(lock.where)
        if place.scheme == "file":
            Path(unquote(place.path)).unlink(missing_ok=True)
            return
        with aws.asking(f"removing {lock.where}"):
            _s3(place.query).delete_object(Bucket=place.netloc, Key=place.path.lstrip("/"))


def _in_folder(url: str, below: str) -> Iterator[Lock]:
    root = Path(unquote(url.removeprefix("file://").partition("?")[0])).expanduser()
    try:
        for path in (root / below).glob("*.json"):
            written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            yield _lock(path.as_uri(), path.read_bytes(), written)
    except FileNotFoundError:  # it was let go while we read
        return
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
    """As the engine's own URL says: region, endpoint, path style, profile."""
    asked = {key: values[-1] for key, values in parse_qs(query).items()}
    session = aws.session(asked.get("region", ""))
    return session.client("s3", endpoint_url=asked.get("endpoint"), config=aws.CONFIG)


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
