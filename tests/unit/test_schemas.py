"""The published JSON schemas are current and say the same as the parsers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from releasectl import schemas
from releasectl.document import load
from releasectl.errors import InvalidFile
from releasectl.pipeline import Pipeline, parse_pipeline
from releasectl.release import Release, parse_release

ROOT = Path(__file__).parents[2]
RELEASE = (ROOT / "releases" / "staging.yaml").read_text(encoding="utf-8")
PIPELINE = (ROOT / "pipeline.yaml").read_text(encoding="utf-8")
DIGEST = "sha256:" + "0" * 64


def test_the_schemas_in_docs_are_those_of_the_types() -> None:
    assert schemas.main(["--check"]) == 0


def test_a_stale_schema_is_named_and_then_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "release.schema.json").write_text("{}", encoding="utf-8")

    assert schemas.main(["--check"], tmp_path) == 1
    assert "docs/release.schema.json is stale" in capsys.readouterr().err
    assert schemas.main([], tmp_path) == 0
    assert schemas.main(["--check"], tmp_path) == 0


RELEASES = {
    "as it is": ("", "", True),
    "a digest": ('digest: ""', f"digest: {DIGEST}", True),
    "a tag": ('digest: ""', "digest: v1", False),
    "another schema": ("schema: 1", "schema: 2", False),
    "an unknown key": ("    version", "    extra: x\n    version", False),
    "a missing key": ('    version: ""', "", False),
    "a service in upper case": ("  web:", "  Web:", False),
    "a short commit": ('commit: ""', "commit: abc", False),
    "a restart": ('restart: ""', "restart: 2026-11-21T10:00:00Z", True),
    "no time": ('restart: ""', "restart: now", False),
    "a long label": ('version: ""', "version: " + "v" * 129, False),
}
PIPELINES = {
    "as it is": ("", "", True),
    "another soak": ("soak: 30m", "soak: 2d", True),
    "no duration": ("soak: 30m", "soak: 30", False),
    "an unknown gate": ("[vulnerabilities]", "[vulnerability]", False),
    "a gate twice": ("[vulnerabilities]", "[provenance, provenance]", False),
    "an unknown key": ("    freeze: []", "    frieze: []", False),
    "a repository": ('repository: ""', "repository: owner/name", True),
    "no repository": ('repository: ""', "repository: owner", False),
    "no services": ("services:\n", "x:\n", False),
}


def accepts(parse: Callable[[str, bytes], object], raw: bytes) -> bool:
    try:
        parse("f", raw)
    except InvalidFile:
        return False
    return True


def judged(model: type, value: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(schemas.schema(model)).is_valid(value))


@pytest.mark.parametrize(("old", "new", "valid"), RELEASES.values(), ids=RELEASES.keys())
def test_the_release_schema_and_the_parser_agree(old: str, new: str, valid: bool) -> None:
    assert old in RELEASE
    # The rule about an empty program joins two places, which only the parser sees.
    raw = RELEASE.replace(old, new, 1).replace('program: ""', f"program: {'a' * 40}").encode()

    assert accepts(parse_release, raw) is valid
    assert judged(Release, load("f", raw, every_scalar_is_text=True).data) is valid


@pytest.mark.parametrize(("old", "new", "valid"), PIPELINES.values(), ids=PIPELINES.keys())
def test_the_pipeline_schema_and_the_parser_agree(old: str, new: str, valid: bool) -> None:
    assert old in PIPELINE
    raw = PIPELINE.replace(old, new, 1).encode()

    assert accepts(parse_pipeline, raw) is valid
    assert judged(Pipeline, load("f", raw, every_scalar_is_text=False).data) is valid


@pytest.mark.parametrize("name", ["staging", "production"])
def test_an_editor_that_reads_numbers_accepts_the_release_files(name: str) -> None:
    raw = (ROOT / "releases" / f"{name}.yaml").read_bytes()

    assert parse_release(name, raw)
    assert judged(Release, yaml.safe_load(raw))
