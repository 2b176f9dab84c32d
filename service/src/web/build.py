"""What this code was built from: the commit and version that the image build wrote beside the code.

They are a file inside the image, not a variable: no setting of an environment can make a running service claim
another commit than the one it was built from. Run from a checkout there is no such file, and both are "unknown".
"""

import json
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Build:
    version: str = "unknown"
    commit: str = "unknown"


def read_build() -> Build:
    """Reads `build.json` ({"version", "commit"}) beside this module; it may be absent, but not broken.

    An empty word is unknown, too: a build of a branch has no version.
    """
    file = files("web") / "build.json"
    told = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return Build(**{name: word for name, word in told.items() if word})
