"""Addresses of alerts that are secrets, such as PagerDuty's: who knows one can raise false alarms.

Comes in: how many the settings file has, and Pulumi's configuration, which decrypts them. Goes out: for each its
protocol, a name that does not tell it, and the address as a secret, so that plans show "[secret]" and the state keeps
ciphertext. No message here repeats an address.
"""

import hashlib
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

import pulumi

from releasectl.errors import ControllerError
from stacks import names

KEY = f"{names.PROJECT}:alerts"


@dataclass(frozen=True)
class Address:
    """`name` comes of the address and not of its place: to SNS the same address is the same subscription."""

    name: str
    protocol: str
    url: pulumi.Output[str]


def secret_addresses(environment: str, count: int) -> list[Address]:
    """Those of the settings of `environment`, which has `count` of them. Raises ControllerError in plain words."""
    if not count:
        return []
    urls = (pulumi.Config(names.PROJECT).get_object("alerts") or {}).get("https") or []
    if len(urls) != count or not all(isinstance(url, str) for url in urls):
        raise ControllerError(
            f"reading the addresses of {KEY} in Pulumi.{environment}.yaml: the engine did not hand them over decrypted",
            f"Run `pulumi config get --path '{KEY}.https' -s {environment}`; it says what is wrong.",
        )
    for position, url in enumerate(urls):
        _check(environment, position, url, again=url in urls[:position])
    return [Address(_name(url), urlsplit(url).scheme, pulumi.Output.secret(url)) for url in urls]


def _name(url: str) -> str:
    """Eight digits of a hash: enough to tell a few apart, too few to say anything of the secret."""
    return hashlib.sha256(url.encode()).hexdigest()[:8]


def _check(environment: str, position: int, url: str, *, again: bool) -> None:
    path = f"{KEY}.https[{position}]"
    if again:
        wrong, remedy = "is there twice", f"Run `pulumi config rm --path '{path}' -s {environment}`."
    elif not _usable(url):
        wrong = "is no https URL with a host"
        remedy = f"Run `pulumi config set --secret --path '{path}' URL -s {environment}` with one."
    else:
        return
    raise ControllerError(f"reading {path} in Pulumi.{environment}.yaml: the address {wrong}", remedy)


def _usable(url: str) -> bool:
    """https, or http on this machine itself, which no network reads."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if any(character.isspace() for character in url) or not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _loopback(host))


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
