"""Changes: what a set of changed files means: data alone or code, and which environments it is about.

Comes in: paths, relative to the repository's root. Goes out: the same, sorted. Data is what the controller reads and
never runs: release files, holds, rejections, overrides, settings, the pipeline. Everything else counts as code,
whatever it is: a path that nobody thought of must not pass for data. Pure: it reads no file.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from releasectl.target import PIPELINE, release_path, settings_path

# Named in full and never by a prefix: `releases/../stacks/x.py` and `releases/x.py` are no data.
_NAME = r"[a-z0-9][a-z0-9-]*"
_DATA = re.compile(rf"releases/(?:(?:holds|rejected|overrides)/)?{_NAME}\.yaml|Pulumi\.{_NAME}\.yaml|pipeline\.yaml")


@dataclass(frozen=True)
class Changes:
    """The changed paths, sorted."""

    data: tuple[str, ...] = ()
    code: tuple[str, ...] = ()

    @property
    def is_data(self) -> bool:
        """Is there a change, and none of it is code?"""
        return bool(self.data) and not self.code

    def about(self, environments: Iterable[str]) -> tuple[str, ...]:
        """Those of the environments whose data it changes, in the same order; all, where the pipeline changes."""
        if PIPELINE in self.data:
            return tuple(environments)
        return tuple(name for name in environments if any(_is_about(path, name) for path in self.data))


def changes(paths: Iterable[str]) -> Changes:
    """Sort paths. A renamed file is two of them: its name and its name before."""
    data: set[str] = set()
    code: set[str] = set()
    for path in paths:
        (data if is_data(path) else code).add(path)
    return Changes(tuple(sorted(data)), tuple(sorted(code)))


def is_data(path: str) -> bool:
    """Is it a file that the controller reads and never runs?"""
    return bool(_DATA.fullmatch(path))


def workflow(environment: str) -> str:
    """The name of the workflow that deploys an environment."""
    return f"deploy-{environment}.yml"


def deploys(environment: str) -> Iterator[str]:
    """The patterns of paths, in GitHub's words, whose change on main may ask for a deployment of the environment.

    Holds and overrides are among them: lifting one lets go what waited. So is the pipeline, which has the gates.
    """
    yield release_path(environment)
    yield f"releases/holds/{environment}.yaml"
    yield f"releases/overrides/{environment}-*.yaml"
    yield f"releases/rejected/{environment}-*.yaml"
    yield settings_path(environment)
    yield PIPELINE


def _is_about(path: str, environment: str) -> bool:
    if path in (release_path(environment), settings_path(environment), f"releases/holds/{environment}.yaml"):
        return True
    # One environment's name may begin another's; then both are looked at, which costs a preview and hides nothing.
    return path.startswith((f"releases/overrides/{environment}-", f"releases/rejected/{environment}-"))
