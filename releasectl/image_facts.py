"""What an image says of itself and what a scanner says of it: values for the gates.

Goes out: frozen facts. Who asks for them (edges/ecr.py) fills in what it got; what nobody could tell stays
`unknown`, which no gate takes for a yes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scan:
    """`status` is done, pending, missing, unsupported or unknown; `counts` by severity, once it is done."""

    status: str = "unknown"
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageFacts:
    """`revision` is the image's own label org.opencontainers.image.revision, "" without one; `size` is in bytes of
    its layers. Of an index, all this is said of its linux/amd64 child."""

    revision: str = ""
    created: str = ""
    size: int = 0
    scan: Scan = field(default_factory=Scan)
