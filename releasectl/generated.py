"""Generated files: written, or only compared.

Comes in: the text that belongs into each file, and the arguments of whoever generates it. Goes out: the files, or with
`--check` an exit code of 1 and the names of those that are stale. It knows nothing of what is in them.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def main(module: str, arguments: list[str], texts: Mapping[Path, str]) -> int:
    """What `python -m MODULE [--check]` does: writes what is stale, or tells it; 1 if it was only told."""
    names = ", ".join(f"docs/{path.name}" for path in texts)
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=f"Write {names}.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is stale")
    check = parser.parse_args(arguments).check
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if check:
            print(f"docs/{path.name} is stale. Run `python -m {module}`.", file=sys.stderr)
        else:
            path.write_text(texts[path], encoding="utf-8", newline="\n")
    return 1 if check and stale else 0
