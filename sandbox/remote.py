"""The sandbox's remote: a bare git repository with the project in it, and a clone to work in.

Comes in: the project's folder. Goes out: `remote.git`, whose main has one commit with the project's files as they
lie there, committed or not, and `clone`. What is the sandbox's own: its account, region and network, the salt of its
passphrase, a short watch and soak, and no gate that asks an image scanner, which ministack has none of. It never
touches the project itself.
"""

import os
import re
import subprocess
from pathlib import Path

from sandbox.process import SandboxBroken

# Made once by `pulumi stack init` with the passphrase `sandbox`; a wrong passphrase is found out by it.
SALT = "v1:1n5wN/SqQr8=:v1:qScBm29ry9UPjliE:NZfE23mMnqH3SmVA1j8bK535anuuHQ=="
WATCH = SOAK = "1s"
SUBNETS = "[subnet-00000001, subnet-00000002]"  # of ministack's default VPC, which lead to the internet
HERE = {
    r"^(  aws:region: )\S+": r"\g<1>eu-west-1",
    r"^(  aws:allowedAccountIds: )\[.+?\]": r'\g<1>["000000000000"]',
    r"^(    vpc: )vpc-\w+": r"\g<1>vpc-00000001",
    r"^(    (?:load_balancer_)?subnets: )\[.+?\]": rf"\g<1>{SUBNETS}",
    r"^(    security_groups: )\[.+?\]": r"\g<1>[]",
    r"^(    public_addresses: )false": r"\g<1>true",
    r"^(secretsprovider|encryptedkey|encryptionsalt): .*\n": "",
}
IDENTITY = {
    "GIT_AUTHOR_NAME": "Sandbox",
    "GIT_AUTHOR_EMAIL": "sandbox@localhost",
    "GIT_COMMITTER_NAME": "Sandbox",
    "GIT_COMMITTER_EMAIL": "sandbox@localhost",
}


def make(folder: Path, project: Path) -> None:
    """`folder`/remote.git and `folder`/clone from the files of `project`. Raises SandboxBroken."""
    remote, clone = folder / "remote.git", folder / "clone"
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(folder, "clone", "--quiet", str(remote), str(clone))
    git(clone, "checkout", "--quiet", "-b", "main")
    for name in _files(project):
        _copy(project / name, clone / name)
    for settings in clone.glob("Pulumi.*.yaml"):
        settings.write_text(_settings(settings.read_text()))
    pipeline = clone / "pipeline.yaml"
    pipeline.write_text(_policy(pipeline.read_text()))
    git(clone, "add", "--all", "--force")
    git(clone, "commit", "--quiet", "--message", "The project as it is")
    git(clone, "push", "--quiet", "origin", "main")


def _settings(text: str) -> str:
    """A team's settings in the sandbox's account, where what names things of a real one leads nowhere."""
    for pattern, here in HERE.items():
        text = re.sub(pattern, here, text, flags=re.MULTILINE)
    return f"{text.rstrip()}\nencryptionsalt: {SALT}\n"


def _policy(text: str) -> str:
    """The project's pipeline with times that fit a laptop's patience."""
    for key, value in (("watch", WATCH), ("soak", SOAK), ("gates", "[]")):
        text = re.sub(rf"^( +{key}: )(\[.*?\]|\S+)", rf"\g<1>{value}", text, flags=re.MULTILINE)
    return text


def git(folder: Path, *arguments: str) -> str:
    """One git command as the sandbox's own person. Raises SandboxBroken."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", "commit.gpgsign=false", *arguments],
        capture_output=True, text=True, env=environment | IDENTITY, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SandboxBroken(
            f"making the sandbox's remote with `git {arguments[0]}`: {done.stderr.strip()}", "Read above."
        )
    return done.stdout.strip()


def _files(project: Path) -> list[str]:
    listed = git(project, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return [name for name in listed if name and (project / name).is_file()]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    target.chmod(source.stat().st_mode)
