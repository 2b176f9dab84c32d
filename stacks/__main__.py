"""The Pulumi program of one environment; the stack's name says which.

Comes in: `releases/<stack>.yaml` and `Pulumi.<stack>.yaml` of the folder above, whether `pulumi up -s staging`
runs it or the controller's worker, from a checkout of the pinned commit; and the policies of `stacks/permissions/`.
Goes out: the environment and the stack outputs. Nothing is kept between runs, so one process may run it twice.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pulumi

from releasectl.errors import ControllerError
from releasectl.release import parse_release
from stacks.environment import Environment
from stacks.permissions import permissions
from stacks.settings import parse_settings

ROOT = Path(__file__).resolve().parent.parent


def declare(name: str) -> None:
    """The environment `name`, from the two files that describe it."""
    pins, config = f"releases/{name}.yaml", f"Pulumi.{name}.yaml"
    release = parse_release(pins, (ROOT / pins).read_bytes())
    settings = parse_settings(config, (ROOT / config).read_bytes(), name)
    policies = {service: permissions(ROOT / "stacks", one.permissions) for service, one in settings.services.items()}
    environment = Environment(name, release=release, settings=settings, policies=policies)
    for key, value in environment.outputs.items():
        pulumi.export(key, value)


try:
    declare(pulumi.get_stack())
except ControllerError as error:
    raise pulumi.RunError(f"{error.message}\n{error.remedy}") from None  # the words are enough, no traceback
