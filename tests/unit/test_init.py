"""Answers become edits: of which files, of nothing else, and when they are refused."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from releasectl import answers, own_workflows, protection, target
from releasectl.answers import Answers, Files, Place
from releasectl.init import answered
from tests.twins import digest, release_file

PROJECT = Path(__file__).resolve().parents[2]
PATHS = ("pipeline.yaml", "releases/staging.yaml", "releases/production.yaml")
EMPTY = release_file("", "")
SETTINGS = b"""\
# How it runs.
config:
  aws:region: eu-west-1   # Ireland
  release-controller:backend: ""
  release-controller:alerts:
    email: []
  # The services.
  release-controller:services:
    web:
      runtime: app-runner # one word
      cpu: 256
      scaling: {min: 1, max: 2, concurrency: 80}
      variables: {}
"""
PIPELINE = b"""\
schema: 1
environments:
  - {name: staging, soak: 0s, gates: [], rollback: commit}
  - {name: production, promotes_from: staging, soak: 0s, gates: [], rollback: commit}
# What builds them.
services:
  web:
    repository: ""   # this one
    path: service
"""
OWNERS = b"# who reviews\n*            @team/all\n/releases/   @team/all  # pins\n/docs/       @writers\n"


def files(**more: bytes) -> dict[str, bytes]:
    """A template with two environments."""
    return {
        "pipeline.yaml": PIPELINE,
        "releases/staging.yaml": EMPTY,
        "releases/production.yaml": EMPTY,
        "Pulumi.staging.yaml": SETTINGS,
        "Pulumi.production.yaml": SETTINGS,
    } | more


def both(place: Place) -> Answers:
    return Answers(places={"staging": place, "production": place})


def lines(before: Files, after: Files, path: str) -> list[str]:
    """The lines that are new in a file."""
    old = before[path].decode().splitlines()
    return [line for line in after[path].decode().splitlines() if line not in old]


def test_answers_about_places_edit_the_settings_of_every_environment_and_no_other_file() -> None:
    place = Place("123456789012", "us-east-1", {"": "app-runner"}, ("ops@example.com",), ("+491701234567",))

    outcome = answered(files(), both(place))

    assert set(outcome.files) == {"Pulumi.staging.yaml", "Pulumi.production.yaml"}
    assert lines(files(), outcome.files, "Pulumi.staging.yaml") == [
        "  aws:region: us-east-1   # Ireland",
        "    email: [ops@example.com]",
        '    sms: ["+491701234567"]',
        '  aws:allowedAccountIds: ["123456789012"]',
    ]


def test_another_runtime_takes_the_one_key_with_it_that_is_not_the_same_there() -> None:
    network = Place(runtimes={"": "fargate"}, vpc="vpc-1", subnets=("subnet-1", "subnet-2"), public_addresses=True)

    outcome = answered(files(), Answers(places={"staging": network}))

    assert set(outcome.files) == {"Pulumi.staging.yaml"}
    assert lines(files(), outcome.files, "Pulumi.staging.yaml") == [
        "      runtime: fargate # one word",
        "      scaling: {min: 1, max: 2, cpu_percent: 60}",
        "  release-controller:network:",
        "    vpc: vpc-1",
        "    subnets: [subnet-1, subnet-2]",
        "    public_addresses: true",
    ]
    back = answered(files(**outcome.files), Answers(places={"staging": Place(runtimes={"": "app-runner"})}))
    assert lines(files(), back.files, "Pulumi.staging.yaml")[0] == "  release-controller:network:"


def test_a_service_gets_its_name_in_every_file_and_keeps_all_else() -> None:
    outcome = answered(files(), Answers(services=("shop",)))

    assert outcome.files == {path: raw.replace(b"web:", b"shop:") for path, raw in files().items()}


def test_a_further_service_is_like_the_first_and_has_nothing_of_its_own_yet() -> None:
    own = SETTINGS.replace(
        b"variables: {}", b"variables: {KEY: for-web-alone}\n      permissions: permissions/web.json"
    )

    outcome = answered(files(**{"Pulumi.staging.yaml": own}), Answers(("web", "worker"), {"worker": "acme/worker"}))

    assert outcome.files["Pulumi.staging.yaml"] == own + (
        b"    worker:\n      runtime: app-runner\n      cpu: 256\n      scaling: {min: 1, max: 2, concurrency: 80}\n"
    )
    assert outcome.files["pipeline.yaml"] == PIPELINE + (
        b'  worker:\n    repository: "acme/worker"\n    path: service\n'
    )
    unpinned = b'  worker:\n    digest: ""\n    version: ""\n    commit: ""\n    restart: ""\n'
    assert outcome.files["releases/staging.yaml"] == EMPTY + unpinned


def test_a_service_that_no_answer_names_stays_and_is_told() -> None:
    two = answered(files(), Answers(("web", "worker")))

    outcome = answered(files(**two.files), Answers(("worker",)))

    assert outcome.files == {}
    assert outcome.notes == ("web stays: nothing is taken away here; delete it by hand",)


def test_one_repository_is_for_all_and_a_named_one_for_one() -> None:
    outcome = answered(files(), Answers(("web", "worker"), {"": "acme/shop", "worker": "acme/worker"}))

    assert b'repository: "acme/shop"   # this one' in outcome.files["pipeline.yaml"]
    assert b'repository: "acme/worker"' in outcome.files["pipeline.yaml"]


def test_the_owners_of_the_first_rule_are_replaced_wherever_they_stand() -> None:
    mine = files(**{".github/CODEOWNERS": OWNERS})

    outcome = answered(mine, Answers(owners=("@acme/ops", "@acme/web")))

    assert outcome.files == {".github/CODEOWNERS": OWNERS.replace(b"@team/all", b"@acme/ops @acme/web")}
    assert answered(mine | dict(outcome.files), Answers(owners=("@acme/ops", "@acme/web"))).files == {}


def test_a_change_of_one_answer_edits_only_that() -> None:
    place = Place(
        "123456789012", "us-east-1", {"": "fargate"}, ("ops@example.com",), (), "vpc-1", ("subnet-1", "subnet-2")
    )
    mine = files() | dict(answered(files(), both(place)).files)

    outcome = answered(mine, both(replace(place, emails=("sre@example.com",))))

    for environment in ("staging", "production"):
        assert lines(mine, outcome.files, f"Pulumi.{environment}.yaml") == ["    email: [sre@example.com]"]


def test_the_line_ends_of_windows_stay() -> None:
    windows = {path: raw.replace(b"\n", b"\r\n") for path, raw in files().items()}
    told = Answers(("shop", "worker"), {"": "acme/shop"}, places=both(Place("1" * 12, runtimes={"": "fargate"})).places)

    outcome = answered(windows, told)

    assert {raw.replace(b"\r\n", b"\n") for raw in outcome.files.values()} == set(
        answered(files(), told).files.values()
    )
    assert all(b"\n" not in raw.replace(b"\r\n", b"") for raw in outcome.files.values())


def test_the_files_of_this_project_can_be_made_somebodys() -> None:
    mine = {path: (PROJECT / path).read_bytes() for path in (*PATHS, "Pulumi.staging.yaml", "Pulumi.production.yaml")}
    place = Place("123456789012", "us-east-1", {"": "ecs-express"}, ("ops@example.com",))

    outcome = answered(mine, Answers(("shop",), {"": "acme/shop"}, places=both(place).places))

    for path, raw in outcome.files.items():
        assert [line for line in mine[path].splitlines() if line.startswith(b"#")] == [
            line for line in raw.splitlines() if line.startswith(b"#")
        ]
    assert answers.present(mine | dict(outcome.files)).services == ("shop",)


# ---- GitHub ----

ON_GITHUB = (own_workflows.REVIEW, *own_workflows.BUILDING, *protection.PATHS)


def on_github() -> dict[str, bytes]:
    """The template with its workflows and rulesets as they are."""
    return files(**{path: (PROJECT / path).read_bytes() for path in ON_GITHUB})


def test_the_preview_of_a_pull_request_is_that_of_the_repository_s_own_main() -> None:
    outcome = answered(on_github(), Answers(github="acme/shop.api"))

    assert list(outcome.files) == [own_workflows.REVIEW]
    [changed] = lines(on_github(), outcome.files, own_workflows.REVIEW)
    assert changed.strip().startswith("uses: acme/shop.api/.github/workflows/preview.yml@main # zizmor")


def test_what_is_built_and_bumped_has_the_new_name_in_every_workflow() -> None:
    outcome = answered(on_github(), Answers(("shop",)))

    commands = [re.findall(rb"releasectl (?:image|bump) (\S+)", outcome.files[path]) for path in own_workflows.BUILDING]
    assert {name for names in commands for name in names} == {b"shop"}
    assert own_workflows.REVIEW not in outcome.files


def test_an_app_may_pass_the_rules_of_main_and_nobody_else_and_never_those_of_the_record() -> None:
    outcome = answered(on_github(), Answers(app="123456"))

    [path] = outcome.files
    ruleset = json.loads(outcome.files[path])
    assert (path, protection.app_of(outcome.files[path])) == (protection.MAIN, "123456")
    assert ruleset == json.loads(on_github()[path]) | {"bypass_actors": ruleset["bypass_actors"]}
    assert ruleset["bypass_actors"] == [{"actor_id": 123456, "actor_type": "Integration", "bypass_mode": "always"}]


def test_what_a_team_changed_in_its_rules_stays() -> None:
    keys = b'"bypass_actors": [{"actor_type": "DeployKey", "actor_id": null, "bypass_mode": "always"}]'
    theirs = on_github()[protection.MAIN].replace(b'_review_count": 0', b'_review_count": 2')
    theirs = theirs.replace(b'"bypass_actors": []', keys)
    mine = on_github() | {protection.MAIN: theirs}

    passing = dict(answered(mine, Answers(github="acme/shop", app="7")).files)

    assert json.loads(passing[protection.MAIN])["rules"] == json.loads(theirs)["rules"]
    assert answered(mine | passing, Answers(app="8")).files.keys() == {protection.MAIN}
    back = answered(mine | passing, Answers(app="none")).files[protection.MAIN]
    assert json.loads(back) == json.loads(theirs)


def test_rulesets_that_were_lost_are_written_again() -> None:
    mine = on_github() | dict(answered(on_github(), Answers(github="acme/shop", app="7")).files)
    del mine[protection.RECORD]

    assert answered(mine, answers.present(mine)).files == {protection.RECORD: on_github()[protection.RECORD]}


def test_the_rulesets_of_this_project_are_those_that_are_told() -> None:
    assert protection.rulesets() == {path: on_github()[path] for path in protection.PATHS}


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"bypass_actors": 3}', b"\xff", b'{"bypass_actors": [{}]}'])
def test_a_ruleset_that_is_none_names_no_app(raw: bytes) -> None:
    assert protection.app_of(raw) == ""


# ---- what the files say today ----


def test_what_the_files_say_today_is_an_answer_that_changes_nothing() -> None:
    place = Place(
        "123456789012",
        "us-east-1",
        {"": "fargate"},
        ("a@b.example",),
        ("+4917",),
        "vpc-1",
        ("subnet-1", "subnet-2"),
        True,
    )
    told = Answers(("shop", "worker"), {"": "acme/shop"}, owners=("@acme",), places=both(place).places)
    mine = files(CODEOWNERS=OWNERS)
    mine |= answered(mine, told).files

    today = answers.present(mine)

    assert today.places["staging"] == replace(place, runtimes={"shop": "fargate", "worker": "fargate"})
    assert (today.services, today.owners) == (("shop", "worker"), ("@acme",))
    assert answered(mine, today).files == {}


# ---- what is refused ----


def created(raw: bytes) -> bytes:
    return raw.replace(b'program: ""', b'program: "' + b"a" * 40 + b'"')


RELEASED = release_file("a" * 40, digest("A"))
RECORDED = b'  aws:allowedAccountIds: ["111111111111"]\n'
REFUSED = {
    "another name for what exists": (
        {"releases/production.yaml": RELEASED}, Answers(("shop",)),
        "`web` exists in production already, so it cannot become `shop`",
        "Keep it and name both, --service web --service shop",
    ),
    "another region": (
        {"releases/staging.yaml": RELEASED}, both(Place(region="us-east-1")),
        "staging exists in region eu-west-1", "Run `releasectl teardown staging` first",
    ),
    "another account": (
        {"releases/staging.yaml": RELEASED, "Pulumi.staging.yaml": SETTINGS + RECORDED},
        both(Place(account="222222222222")),
        "staging exists in account 111111111111", "Run `releasectl teardown staging` first",
    ),
    "another runtime for what serves": (
        {"releases/staging.yaml": RELEASED}, both(Place(runtimes={"web": "fargate"})),
        "`web` serves on app-runner, and its address would change",
        "write `runtime: fargate` and `leaving: app-runner`",
    ),
    "a repository of nobody": ({}, Answers(repositories={"wbe": "a/b"}), "`wbe` is no service here", "Write `web`."),
    "no repository on GitHub": ({}, Answers(github="acme/.."), "`acme/..` is no repository on GitHub", "Write `own"),
    "a workflow's line": ({}, Answers(github="a/b\n  x: y"), "is no repository on GitHub", "Write `owner/name`"),
    "an App's name": ({}, Answers(app="bot"), "`bot` is no number of a GitHub App", "Copy the App ID"),
    "a broken ruleset": (
        {protection.MAIN: b"[]"}, Answers(app="7"), "is no ruleset of GitHub", "Correct it, or delete it"
    ),
    "a runtime of nobody": ({}, both(Place(runtimes={"x": "fargate"})), "`x` is no service here", "Name one of: web."),
}  # fmt: skip


@pytest.mark.parametrize(("more", "told", "message", "remedy"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_followed_is_refused_whole(
    more: dict[str, bytes], told: Answers, message: str, remedy: str
) -> None:
    outcome = answered(files(**more), told)

    assert outcome.files == {}
    assert message in outcome.findings[0].message
    assert remedy in outcome.findings[0].remedy


def test_everything_that_is_refused_is_told_at_once() -> None:
    place = Place(region="us-east-1", runtimes={"web": "fargate"})
    told = Answers(("shop",), {"wbe": "acme/shop"}, places={"staging": place})

    found = answered(files(**{"releases/staging.yaml": RELEASED}), told).findings

    assert len(found) == 5, "two names that nothing has, a rename, a region, a runtime"


def test_an_environment_that_does_not_exist_yet_may_still_change() -> None:
    outcome = answered(
        files(**{"releases/staging.yaml": created(EMPTY)}), Answers(places={"production": Place(region="us-east-1")})
    )

    assert set(outcome.files) == {target.settings_path("production")}


def test_an_account_that_was_never_recorded_may_be_recorded() -> None:
    outcome = answered(files(**{"releases/staging.yaml": RELEASED}), both(Place(account="111111111111")))

    assert outcome.findings == ()
    assert b'aws:allowedAccountIds: ["111111111111"]' in outcome.files["Pulumi.staging.yaml"]
