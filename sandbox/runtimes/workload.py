"""What every runtime asks the engine room to run, in one form.

Comes in: nothing. Goes out: the words of a configuration or a task definition that matter to a running copy. Which
service it is for, and what its control plane calls things, is not known here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Workload:
    """`entrypoint` and `command` take the place of the image's where they are given; `secrets` are names to ARNs.

    `port` is where the program says that it listens: it is told another by PORT, and asked there if it does not care.
    """

    image: str
    port: int | None
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Place:
    """Where a copy's output goes, and where the runtime's own words about it go."""

    group: str
    stream: str
    say: Callable[[str], None]
