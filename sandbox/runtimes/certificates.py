"""The sandbox's own certificate authority, kept in the state folder, and the front doors' certificate.

Comes in: the state folder. Goes out: the authority's certificate, which clients trust by SSL_CERT_FILE, and a file
with the front doors' key and chain. Private keys are readable by their owner alone; nothing outside trusts this.
"""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificates:
    """`authority` is public, `front_door` holds a private key."""

    authority: Path
    front_door: Path


def certificates(state: Path) -> Certificates:
    """The authority of this state folder, made at the first call, and a fresh certificate for loopback."""
    public, private, front_door = state / "ca.pem", state / "ca.key", state / "front-door.pem"
    if public.exists() and private.exists():
        authority = trustme.CA.from_pem(public.read_bytes(), private.read_bytes())
    else:
        authority = trustme.CA(organization_name="release-controller sandbox")
        _write_private(private, authority.private_key_pem.bytes())
        authority.cert_pem.write_to_path(str(public))
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    _write_private(front_door, leaf.private_key_and_cert_chain_pem.bytes())
    return Certificates(public, front_door)


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(content)
