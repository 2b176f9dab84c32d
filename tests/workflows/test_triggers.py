"""Which change starts which workflow: a table to read, by GitHub's own rules."""

import pytest

from tests.workflows.files import Project, ours
from tests.workflows.patterns import fits, passes
from tests.workflows.triggers import ByHand, Event, Pull, Push, Tag, Time, started

OURS = ours()
STAGING, PRODUCTION = "deploy-staging", "deploy-production"
CODE, PINS, HOLD = "service/src/web/server.py", "releases/staging.yaml", "releases/holds/production.yaml"


# What happens -> what starts.
TABLE: list[tuple[str, Event, set[str]]] = [
    ("a bump by the App", Push([PINS]), {STAGING}),
    ("a bump by a job's own token", Push([PINS], by_token=True), set()),
    ("the start that goes with it", ByHand(STAGING), {STAGING}),
    ("a promotion", Push(["releases/production.yaml"]), {PRODUCTION}),
    ("a hold, or the end of one", Push([HOLD]), {PRODUCTION}),
    ("an override", Push(["releases/overrides/production-soak.yaml"]), {PRODUCTION}),
    ("a rejection", Push(["releases/rejected/staging-web-0123456789ab.yaml"]), {STAGING}),
    ("settings", Push(["Pulumi.staging.yaml"]), {STAGING}),
    ("gates", Push(["pipeline.yaml"]), {STAGING, PRODUCTION}),
    ("the service", Push([CODE]), {"build"}),
    ("the program", Push(["stacks/settings.py"]), {"build"}),
    ("the project of the program", Push(["Pulumi.yaml"]), {"build"}),
    ("the controller", Push(["releasectl/cli.py"]), {"build"}),
    ("a workflow", Push([".github/workflows/build.yml"]), {"build"}),
    ("what is locked", Push(["uv.lock"]), {"build"}),
    ("code with pins", Push([CODE, PINS]), {"build", STAGING}),
    ("pages", Push(["README.md", "docs/start.md", "docs/a/picture.svg"]), set()),
    ("a page of the service is part of it", Push(["service/README.md"]), {"build"}),
    ("code on develop", Push([CODE], branch="develop"), {"build"}),
    ("pins on develop", Push([PINS], branch="develop"), set()),
    ("any other branch", Push([CODE, PINS], branch="releasectl/bump-staging"), set()),
    ("the branch of the record", Push(["staging.jsonl"], branch="deployments"), set()),
    ("a version", Tag("v1.4.0"), {"release"}),
    ("any other tag", Tag("nightly-1"), set()),
    ("a proposal of code", Pull([CODE]), {"checks", "review"}),
    ("a proposal of pins", Pull([PINS]), {"checks", "review"}),
    ("a proposal of pages", Pull(["README.md"]), {"checks", "review"}),
    ("a proposal for develop", Pull([CODE], onto="develop"), {"checks"}),
    ("a proposal for a branch", Pull([CODE], onto="feature"), set()),
    ("a proposal by a job's own token waits for a person", Pull([PINS], by_token=True), set()),
    ("a clock", Time(), {"build", "nightly", "watch"}),
    ("a version's names, by hand", ByHand("build"), {"build"}),
    ("what only others call", ByHand("reconcile"), set()),
    ("what only a tag starts", ByHand("release"), set()),
]


@pytest.mark.parametrize(("event", "starts"), [pytest.param(*row[1:], id=row[0]) for row in TABLE])
def test_it_starts_what_the_table_says(event: Event, starts: set[str]) -> None:
    assert started(OURS, event) == starts


def test_every_workflow_that_something_starts_is_in_the_table() -> None:
    told = set[str]().union(*(starts for _, _, starts in TABLE))
    alone = {file.path for file in OURS.workflows if set(file.events) - {"workflow_call", "workflow_dispatch"}}

    assert {path.removeprefix(".github/workflows/").removesuffix(".yml") for path in alone} == told


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("*", "README.md server.rb", "docs/a.md"),
        ("**", "all/the/files.md a", ""),
        ("*.js", "app.js", "js/app.js app.jsx"),
        ("**.js", "index.js js/index.js src/js/app.js", "index.ts"),
        ("docs/*", "docs/README.md docs/file.txt", "docs/a/b.md adocs/c"),
        ("docs/**", "docs/README.md docs/mona/octocat.txt", "docs src/docs/a"),
        ("docs/**/*.md", "docs/README.md docs/mona/hello.md docs/a/markdown/file.md", "docs/a.txt README.md"),
        ("**/docs/**", "docs/hello.md dir/docs/my.txt space/docs/plan/a.doc", "docs.md"),
        ("**/README.md", "README.md js/README.md", "js/README.mdx"),
        ("**/*src/**", "a/src/app.js my-src/code/js/app.js", "a/source/b"),
        ("**/*-post.md", "my-post.md path/their-post.md", "post.md"),
        ("*.jsx?", "page.js page.jsx", "page.jsxx"),
        ("v[12].[0-9]+.[0-9]+", "v1.10.1 v2.0.0", "v3.0.0 v1.x.0"),
        ("Pulumi.*.yaml", "Pulumi.staging.yaml", "Pulumi.yaml a/Pulumi.b.yaml Pulumi.a/b.yaml"),
    ],
)
def test_a_pattern_fits_what_github_says_it_fits(pattern: str, fitting: str, others: str) -> None:
    assert [name for name in fitting.split() if not fits(name, pattern)] == []
    assert [name for name in others.split() if fits(name, pattern)] == []


def test_the_order_of_patterns_counts() -> None:
    assert passes("hello.md", ["*.md", "!README.md"])
    assert not passes("README.md", ["*.md", "!README.md"])
    assert passes("README.md", ["*.md", "!README.md", "README*"])
    assert not passes("README.md", ["!README.md"])


@pytest.mark.parametrize(
    ("told", "event", "starts"),
    [
        pytest.param("on: push", Push(["a"], branch="any"), True, id="no filter"),
        pytest.param("on: push", Tag("any"), True, id="no filter, a tag"),
        pytest.param("on: {push: {branches: [main]}}", Tag("main"), False, id="branches alone, a tag"),
        pytest.param("on: {push: {tags: ['v*']}}", Push(["a"]), False, id="tags alone, a branch"),
        pytest.param("on: {push: {tags: ['v*'], branches: [main]}}", Push(["a"]), True, id="both"),
        pytest.param("on: {push: {branches-ignore: [main]}}", Push(["a"]), False, id="a branch to ignore"),
        pytest.param("on: {push: {paths: [b], tags: ['v*']}}", Tag("v1"), True, id="a tag has no paths"),
        pytest.param("on: {push: {paths-ignore: [a]}}", Push(["a", "b"]), True, id="one of two is ignored"),
        pytest.param("on: {push: {paths: [a]}}", Push(["a", "b"]), True, id="one of two is enough"),
        pytest.param("on: [pull_request]", Push(["a"]), False, id="another event"),
    ],
)
def test_the_rules_themselves(told: str, event: Event, starts: bool) -> None:
    project = Project({".github/workflows/one.yml": told})

    assert started(project, event) == ({"one"} if starts else set())
