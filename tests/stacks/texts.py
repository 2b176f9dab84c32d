"""Release and settings files as texts, for tables of tests."""

DIGEST = "sha256:" + "6c" * 32
OTHER_DIGEST = "sha256:" + "7d" * 32
COMMIT = "9a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:web/key-AbCdEf"
PARAMETER = "arn:aws:ssm:eu-west-1:123456789012:parameter/web/flag"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000"
VPC = "vpc-0123456789abcdef0"
SUBNETS = ("subnet-0123456789abcdef0", "subnet-0123456789abcdef1")
NETWORK = f"{{vpc: {VPC}, subnets: [{', '.join(SUBNETS)}]}}"
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000000"


def release_text(digests: dict[str, str], restart: str = "") -> str:
    """A release that pins these services."""
    program = COMMIT if any(digests.values()) else ""
    services = "".join(
        f'  {service}:\n    digest: "{digest}"\n    version: ""\n    commit: ""\n    restart: "{restart}"\n'
        for service, digest in digests.items()
    )
    return f'schema: 1\nprogram: "{program}"\nservices:\n{services}'


def settings_text(
    services: dict[str, str], email: str = "[]", *, runtime: str = "app-runner", network: str = ""
) -> str:  # fmt: skip
    """Settings of these services; each value is what stands between the braces after the runtime."""
    lines = "".join(
        f"    {service}: {{runtime: {runtime}{', ' if more else ''}{more}}}\n" for service, more in services.items()
    )
    network = f"  release-controller:network: {network}\n" if network else ""
    return (
        "config:\n  aws:region: eu-west-1\n"
        f"  release-controller:alerts:\n    email: {email}\n  release-controller:services:\n{lines}{network}"
    )
