"""A preview tells everything a proposal would do, and as a comment nothing in it does anything itself."""

from pathlib import Path

import pytest

from releasectl import comment, report
from releasectl.outputs import UNKNOWN
from releasectl.preview import Preview, as_json, preview
from releasectl.reconcile import reconcile
from releasectl.target import read_target, release_path
from tests.twins import IMAGE_PATH, RUNTIME, SHAPE, Scene, digest, release_file, repository, step

A, B = digest("A"), digest("B")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A is live in staging."""
    scene = Scene(tmp_path / "work")
    scene.push(A, B)
    scene.cloud.repositories.add(repository("staging", "web"))
    scene.pin(A)
    reconcile("staging", scene.world)
    return scene


def proposed(scene: Scene, pinned: str) -> Preview:
    """What a branch with another digest would do."""
    raw = release_file(scene.program, pinned)
    commit = scene.desired.merge({release_path("staging"): raw}, branch="proposal", by="Eve", subject="B")
    wanted = read_target(scene.desired, commit, "staging")
    return preview(wanted, scene.world, folder=scene.folder.parent / "preview")


def replacing(scene: Scene) -> None:
    """The next preview says that the service would be replaced."""
    prop = {"path": IMAGE_PATH, "kind": "update-replace", "before": "a", "after": "b"}
    scene.engine.extra_steps = [
        step("replace", RUNTIME, "db") | {"properties": [prop]},
        step("delete", RUNTIME, "old"),
        step("same", RUNTIME, "kept", unprotects=True),
    ]


def test_a_preview_changes_nothing(scene: Scene) -> None:
    before = (dict(scene.records.files), dict(scene.desired.tips), scene.engine.ups.copy())
    seen = proposed(scene, B)

    assert [change.operation for change in seen.plan.changes] == ["update"]
    assert (seen.exit_code, seen.warnings, seen.admission.nos) == (0, (), ())
    assert (dict(scene.records.files), scene.engine.ups) == (before[0], before[2])


def test_what_is_replaced_deleted_or_unprotected_is_told_first_in_plain_words(scene: Scene) -> None:
    replacing(scene)
    seen = proposed(scene, B)

    others = "its address, its log group and the metrics of its alarms become others"
    assert seen.warnings == (
        f"{RUNTIME} db is deleted and made anew, because {IMAGE_PATH} cannot be changed in place: {others}",
        f"{RUNTIME} old is deleted, and its address with it",
        f"{RUNTIME} kept is no longer protected: a later release could delete it",
    )
    assert report.preview(seen).splitlines()[: len(seen.warnings)] == [f"! {line}" for line in seen.warnings]
    assert comment.comment(seen).index("is deleted and made anew") < comment.comment(seen).index("|---|")


def moving(scene: Scene) -> Preview:
    """What a branch would do whose settings name another runtime."""
    scene.engine.declared["web"] = {"runtime": "fargate", "service": UNKNOWN, "url": UNKNOWN}
    scene.engine.extra_steps = [step("delete", RUNTIME, "web"), step("create", "aws:ecs/service:Service", "web")]
    return proposed(scene, A)


def test_a_move_to_another_runtime_is_told_before_everything_else_in_every_form(scene: Scene) -> None:
    seen = moving(scene)
    [sentence] = seen.moves
    written, rows = comment.comment(seen).splitlines(), comment.comment(seen).index("|---|")

    assert sentence.startswith("web moves from app-runner to fargate; deleted: apprunner Service; created: ecs Service")
    assert "https://web.staging.example stops answering" in sentence
    assert report.preview(seen).splitlines()[0] == f"! {sentence}"
    assert written[written.index("> [!WARNING]") + 1].startswith("> web moves from app-runner to fargate")
    assert comment.comment(seen).index("web moves") < rows
    assert as_json(seen)["moves"] == (sentence,)
    assert seen.warnings[0] == sentence


def test_what_every_release_replaces_is_no_warning(scene: Scene) -> None:
    task = "aws:ecs/taskDefinition:TaskDefinition"
    prop = {"path": "cpu", "kind": "update-replace", "before": "256", "after": "512"}
    scene.engine.extra_steps = [step("replace", task, "web") | {"properties": [prop]}]
    scene.engine.shape = [*SHAPE, {"type": task, "operations": ["create", "replace"], "properties": []}]
    seen = proposed(scene, B)

    assert (seen.warnings, seen.exit_code) == ((), 0)
    assert f"revise   {task} web" in report.preview(seen)
    assert "| revise |" in comment.comment(seen)


def test_what_differs_in_a_text_that_holds_a_document_is_shown_inside(scene: Scene) -> None:
    before, after = '[{"name": "app", "image": "r@a"}]', '[{"name": "app", "image": "r@b"}]'
    prop = {"path": "containerDefinitions", "kind": "update", "before": before, "after": after}
    scene.engine.extra_steps = [step("update", RUNTIME, "web") | {"properties": [prop]}]
    seen = proposed(scene, B)

    assert "containerDefinitions[0].image: r@a -> r@b" in report.preview(seen)
    assert "containerDefinitions&#91;0&#93;.image" in comment.comment(seen)


def test_a_refusal_ends_with_1_and_is_told_with_its_remedy(scene: Scene) -> None:
    seen = proposed(scene, digest("nowhere"))

    assert seen.exit_code == 1
    assert "refused by digest-readable" in report.preview(seen)
    assert "Push the image" in report.preview(seen)
    assert "**refused** by digest-readable" in comment.comment(seen)
    assert as_json(seen)["gates"]


def test_a_broken_file_on_main_does_not_stop_the_preview_of_what_mends_it(scene: Scene) -> None:
    scene.desired.merge({release_path("staging"): b"broken: yes\n"}, by="Eve", subject="Oops")

    assert [note.sentence for note in proposed(scene, B).notes if note.name == "web"] == [
        f"{B[:19]}, the first release"
    ]


# ---- as a comment ----

EVIL = (
    "@team",
    "#12",
    "`code`",
    "a | b",
    "<script>alert(1)</script>",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "**bold** _it_ ~~gone~~",
    "https://evil.example",
    "www.evil.example",
    "line\n# heading",
    "\u202ebidi",
    "\x1b[31m",
    "&lt;",
    "\\|",
)


@pytest.mark.parametrize("evil", EVIL)
def test_whatever_a_value_holds_it_is_only_text(evil: str) -> None:
    written = comment.text(evil)

    assert not set(written.replace("&#", "").replace(";", "")) & set("@#`|<>[]*_~!\\\n\x1b\u202e"), written
    assert "://" not in written
    assert "www." not in written
    assert "&lt;" not in written


def test_long_values_keep_both_ends() -> None:
    written = comment.text("a" * 500 + "end", 100)

    assert len(written) == 100
    assert written.endswith("aend")
    assert "…" in written


def test_a_comment_always_fits(scene: Scene) -> None:
    prop = {"path": "tags", "kind": "update", "before": "|" * 5000, "after": "@" * 5000}
    scene.engine.extra_steps = [
        step("update", RUNTIME, f"n{number}") | {"properties": [prop] * 40} for number in range(300)
    ]
    written = comment.comment(proposed(scene, B))

    assert len(written) < 65_536
    assert "is cut" in written


def test_more_resources_than_a_table_holds_are_counted(scene: Scene) -> None:
    scene.engine.extra_steps = [step("create", RUNTIME, f"n{number}") for number in range(comment.ROWS + 4)]

    assert "and 5 more resources" in comment.comment(proposed(scene, B))
