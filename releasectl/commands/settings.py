"""What the program says of an environment's settings: it is run for that, never imported.

Comes in: the clone, an environment, and other bytes than those in the work tree when an edit is only proposed. Goes
out: findings. Nothing in the clone changes.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from releasectl import target
from releasectl.errors import Finding


def findings(root: Path, environment: str, raw: bytes | None = None) -> Iterator[Finding]:
    """What is wrong with the settings of an environment as they lie there, or as `raw` would have them."""
    path = target.settings_path(environment)
    if raw is None:
        yield from _findings(root, path, path)
        return
    with tempfile.TemporaryDirectory(prefix="releasectl-") as folder:
        proposed = Path(folder) / path
        proposed.write_bytes(raw)
        for finding in _findings(root, str(proposed), path):
            yield Finding(finding.rule, finding.where.replace(str(proposed), path), finding.message, finding.remedy)


def _findings(root: Path, file: str, named: str) -> Iterator[Finding]:
    done = subprocess.run(
        [sys.executable, "-m", "stacks.settings", file, "--json"], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 2):
        yield Finding("file", named, f"the program cannot read it: {done.stderr.strip()}", "Mend `stacks/settings.py`.")
        return
    for finding in json.loads(done.stdout).get("findings", []):
        yield Finding(**finding)
