"""Copies of the workflows that act can read: it lags behind what GitHub knows.

Comes in: the workflows of this project. Goes out: a folder with the same workflows, where `$/` is `./`, main's own
`preview.yml` is the one beside it, and no environment says `deployment: false`. Nothing else differs, and
`differences` tells what does.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]
WORKFLOWS = ("deploy-staging", "reconcile", "review", "preview")
SETUP = ".github/actions/setup/action.yml"
_MAIN = "OWNER/REPOSITORY/.github/workflows/preview.yml@main"
_USES = re.compile(r"^ *(?:- )?uses: ([\w.-]+/[\w.-]+)@([0-9a-f]{40})\b", re.MULTILINE)

Difference = tuple[str, Any, Any]


def path(name: str) -> str:
    """Of a workflow, below the project."""
    return f".github/workflows/{name}.yml"


def translated(text: str) -> str:
    """A workflow as act can read it."""
    text = re.sub(r"^ +deployment: false\n", "", text, flags=re.MULTILINE)
    return text.replace("uses: $/", "uses: ./").replace(f"uses: {_MAIN}", "uses: ./.github/workflows/preview.yml")


def copy(folder: Path) -> None:
    """All of them."""
    for name in WORKFLOWS:
        target = folder / path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(translated((PROJECT / path(name)).read_text()))


def foreign() -> dict[str, str]:
    """The actions of others that they use, OWNER/REPOSITORY@COMMIT, and the name of what stands for each here."""
    texts = [(PROJECT / one).read_text() for one in (*map(path, WORKFLOWS), SETUP)]
    found = {(name, commit) for text in texts for name, commit in _USES.findall(text)}
    return {f"{name}@{commit}": name.partition("/")[2] for name, commit in sorted(found)}


def differences(before: Any, after: Any, keys: str = "") -> Iterator[Difference]:
    """Every value that is not the same in two YAML texts: its keys, how it was, how it is."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            yield from differences(before.get(key), after.get(key), f"{keys}/{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{keys}/{at}")
    elif before != after:
        yield keys, before, after


def steps(folder: Path, name: str, job: str) -> tuple[dict[str, Any], ...]:
    """The steps of a job of a copy or, with the project as its folder, of the original."""
    return tuple(yaml.safe_load((folder / path(name)).read_text())["jobs"][job]["steps"])


def rights(name: str, job: str) -> dict[str, str]:
    """What the token of a job may, by the names that the API has for it."""
    asked = yaml.safe_load((PROJECT / path(name)).read_text())["jobs"][job]["permissions"]
    return {right.replace("-", "_"): level for right, level in asked.items() if right != "id-token"}
