"""Holds, rejections and overrides are found by their names: a file that nobody finds is told."""

import pytest

from releasectl import check
from releasectl.changes import deploys
from releasectl.way_back import entry, rejection
from tests.twins import PIPELINE, SETTINGS, digest, release_file

SERVICES = {"staging": ("web",), "production": ("web", "api")}
A = digest("A")
SHORT = A.removeprefix("sha256:")[:12]
HOLD = entry({"by": "Ann", "reason": "a test", "at": "2026-11-21T12:00:00Z"})
REJECTION = rejection(A, "", reason="it leaks", deployment="")
OVERRIDE = entry({"gate": "soak", "identity": "a" * 64, "reason": "urgent", "until": "2026-11-21T12:00:00Z"})


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("releases/holds/staging.yaml", HOLD),
        ("releases/holds/.gitkeep", b""),
        ("releases/holds/README.md", b"# words"),
        (f"releases/rejected/production-api-{SHORT}.yaml", REJECTION),
        ("releases/overrides/production-soak.yaml", OVERRIDE),
    ],
)
def test_a_file_that_is_in_force_has_no_finding(path: str, raw: bytes) -> None:
    assert list(check.entries({path: raw}, SERVICES)) == []


@pytest.mark.parametrize(
    ("path", "raw", "message"),
    [
        pytest.param("releases/holds/stagin.yaml", HOLD, "fits no environment", id="an unknown environment"),
        pytest.param("releases/holds/staging.yml", HOLD, "fits no environment", id="another ending"),
        pytest.param("releases/holds/a/staging.yaml", HOLD, "nothing reads a file here", id="a folder too deep"),
        pytest.param("releases/holds/staging.yaml", b"by: x\n", "missing", id="a hold without a reason"),
        pytest.param(f"releases/rejected/staging-api-{SHORT}.yaml", REJECTION, "fits no", id="a service of elsewhere"),
        pytest.param(
            "releases/rejected/staging-web-123.yaml", REJECTION, "does not fit the file's name", id="a digest"
        ),
        pytest.param("releases/overrides/staging-hold.yaml", OVERRIDE, "does not fit the file's name", id="a gate"),
        pytest.param("releases/overrides/prod-soak.yaml", OVERRIDE, "fits no", id="an override for nobody"),
    ],
)
def test_a_file_that_is_in_force_for_nobody_is_told(path: str, raw: bytes, message: str) -> None:
    findings = list(check.entries({path: raw}, SERVICES))

    assert findings
    assert any(message in finding.message for finding in findings), findings
    assert all(finding.where.startswith(path) for finding in findings)


def test_a_near_name_is_proposed() -> None:
    [finding] = check.entries({"releases/holds/stagin.yaml": HOLD}, SERVICES)

    assert finding.remedy == "Rename it to releases/holds/staging.yaml."


class Tree(dict[str, bytes]):
    """Files by path."""

    def read(self, _commit: str, path: str) -> bytes | None:
        return self.get(path)

    def list(self, _commit: str, folder: str) -> tuple[str, ...]:
        return tuple(sorted(path for path in self if path.startswith(f"{folder}/")))


def tree(**changes: bytes | None) -> Tree:
    files: dict[str, bytes | None] = {"pipeline.yaml": PIPELINE}
    for name in ("staging", "production"):
        files |= {f"releases/{name}.yaml": release_file("", ""), f"Pulumi.{name}.yaml": SETTINGS}
    files |= {name.replace("__", "/").replace("_yaml", ".yaml"): raw for name, raw in changes.items()}
    return Tree({path: raw for path, raw in files.items() if raw is not None})


def test_a_sound_tree_has_no_findings_and_names_what_has_settings() -> None:
    assert check.findings(tree(releases__holds__staging_yaml=HOLD), "") == ((), ("staging", "production"))


def test_every_broken_file_is_told_at_once() -> None:
    broken = tree(
        releases__staging_yaml=b"schema: 2\n", releases__production_yaml=None, releases__holds__nowhere_yaml=HOLD
    )
    findings, sound = check.findings(broken, "")

    places = {finding.where.partition(":")[0] for finding in findings}
    assert places == {"releases/staging.yaml", "releases/production.yaml", "releases/holds/nowhere.yaml"}
    assert sound == ()


@pytest.mark.parametrize("pipeline", [None, b"schema: 2\n"], ids=["missing", "broken"])
def test_without_a_pipeline_nothing_else_can_be_judged(pipeline: bytes | None) -> None:
    findings, sound = check.findings(tree(pipeline_yaml=pipeline), "")

    assert findings
    assert sound == ()


def deploying(*names: str, lacking: str = "") -> Tree:
    """A tree with workflows that deploy these environments."""
    wanted = {name: [each for each in deploys(name) if each != lacking] for name in names}
    texts = {name: "paths:\n" + "".join(f"  - {each}\n" for each in paths) for name, paths in wanted.items()}
    return Tree(tree() | {f".github/workflows/deploy-{name}.yml": text.encode() for name, text in texts.items()})


def test_where_there_are_workflows_each_environment_needs_its_own() -> None:
    assert check.findings(deploying("staging", "production"), "")[0] == ()
    [finding], _ = check.findings(deploying("staging"), "")

    assert finding.where == ".github/workflows/deploy-production.yml"
    assert finding.message == "is not there, so a merge deploys nothing to production"
    assert finding.remedy == "Copy deploy-staging.yml and name production in it."


@pytest.mark.parametrize("path", list(deploys("production")))
def test_a_workflow_that_waits_for_a_path_less_is_told(path: str) -> None:
    findings, _ = check.findings(deploying("staging", "production", lacking=path), "")
    [finding] = [each for each in findings if each.where.endswith("/deploy-production.yml")]

    assert finding.message == f"does not wait for {path}, so a merge of it deploys nothing"
    assert finding.remedy == f"Write `- {path}` below `paths:`."


def test_a_copy_in_which_the_old_name_was_left_is_told() -> None:
    left = deploying("staging", "production")
    left[".github/workflows/deploy-production.yml"] = left[".github/workflows/deploy-staging.yml"]
    findings, _ = check.findings(left, "")

    assert len(findings) == len(list(deploys("production"))) - 1  # the pipeline is for all


def test_a_workflow_that_waits_for_every_push_waits_for_all_paths() -> None:
    every = deploying("staging", "production")
    every[".github/workflows/deploy-staging.yml"] = b"on:\n  push:\n    branches: [main]\n"

    assert check.findings(every, "")[0] == ()
