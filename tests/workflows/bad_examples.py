"""Workflows with one mistake each, by the policy that has to find it: no policy is there that cannot say no.

Comes in: nothing. Goes out: a table. A snippet is a whole workflow as far as its policy looks; where a policy compares
files, the example brings all of them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from textwrap import dedent

from tests.workflows import flow, pins, rights
from tests.workflows.files import PINS, Project
from tests.workflows.flow import CHECKS, FAILED
from tests.workflows.pins import REVIEW

Policy = Callable[[Project], Iterator[str]]
BAD = ".github/workflows/bad.yml"
COMMIT = "3d3c42e5aac5ba805825da76410c181273ba90b1"
ROW = f"actions/checkout\tv7.0.1\t{COMMIT}\n"
USED = f"actions/checkout@{COMMIT} # v7.0.1"


@dataclass(frozen=True)
class Bad:
    """A mistake, who has to find it, and a part of what is said of it."""

    policy: Policy
    says: str
    texts: Mapping[str, str]

    @property
    def project(self) -> Project:
        """A project with that mistake."""
        return Project(self.texts)


def bad(policy: Policy, says: str, text: str, path: str = BAD, **more: str) -> Bad:
    """An example of one file, or of more: `_` stands before the names of other workflows."""
    others = {f".github/workflows/{name}.yml": dedent(other) for name, other in more.items()}
    return Bad(policy, says, {path: dedent(text), **others})


def step(text: str) -> str:
    """A workflow of one step."""
    return f"jobs:\n  one:\n    steps:\n      - {text}\n"


def job(text: str, top: str = "on: push") -> str:
    """A workflow of one job, by what is told of it."""
    return f"{top}\njobs:\n  one:\n" + "".join(f"    {line}\n" for line in dedent(text).splitlines())


PINNED = [
    bad(pins.every_action_is_pinned, "is not OWNER/ACTION@COMMIT", step("uses: actions/checkout@v7")),
    bad(pins.every_action_is_pinned, "is not OWNER/ACTION@COMMIT", step(f"uses: actions/checkout@{COMMIT[:12]}")),
    bad(pins.every_action_is_pinned, "is not OWNER/ACTION@COMMIT", step("uses: docker://alpine:3")),
    bad(pins.every_action_is_pinned, "is not OWNER/ACTION@COMMIT", step(f"uses: https://a.example/b/c@{COMMIT}")),
    bad(pins.every_action_is_pinned, "lacks `# vX.Y.Z`", step(f"uses: actions/checkout@{COMMIT}")),
    bad(pins.every_action_is_pinned, "lacks `# vX.Y.Z`", step(f"uses: actions/checkout@{COMMIT} # v7")),
    bad(pins.every_action_is_pinned, "@main is not", job("uses: a/b/.github/workflows/preview.yml@main")),
    bad(pins.every_action_is_pinned, "@main is not", job("uses: a/b/.github/workflows/other.yml@main"), REVIEW),
    bad(pins.every_action_is_pinned, "@dev is not", job("uses: a/b/.github/workflows/preview.yml@dev"), REVIEW),
    Bad(pins.the_table_has_every_action, "is not in", {BAD: step(f"uses: {USED}"), PINS: ""}),
    Bad(pins.the_table_has_every_action, "is not in", {BAD: step(f"uses: {USED[:-1]}0"), PINS: ROW}),
    Bad(pins.the_table_has_every_action, "is not in", {BAD: step(f"uses: evil/checkout@{COMMIT} # v7.0.1"), PINS: ROW}),
    Bad(pins.every_row_of_the_table_is_used, "nothing uses actions/checkout", {BAD: "jobs:\n", PINS: ROW}),
    Bad(pins.every_row_of_the_table_is_used, "is there twice", {BAD: step(f"uses: {USED}"), PINS: ROW * 2}),
    bad(pins.what_is_our_own_is_there, "is not there", step("uses: $/.github/actions/none")),
    bad(pins.what_is_our_own_is_there, "is not there", job("uses: $/.github/workflows/none.yml")),
    bad(pins.what_is_our_own_is_there, "is not there", job("uses: a/b/.github/workflows/preview.yml@main"), REVIEW),
    bad(pins.what_is_our_own_is_there, "is of the work tree", step("uses: ./.github/actions/setup")),
]
CALL = "uses: $/.github/workflows/called.yml"
CALLED = job("permissions:\n  contents: write\n  issues: read", "on: workflow_call")
ROLE = f"steps:\n  - uses: aws-actions/configure-aws-credentials@{COMMIT}"
RIGHTS = [
    bad(rights.only_events_that_lend_no_rights, "starts by pull_request_target", "on: pull_request_target"),
    bad(rights.only_events_that_lend_no_rights, "starts by workflow_run", "on:\n  workflow_run:\n    workflows: [x]"),
    bad(rights.only_events_that_lend_no_rights, "starts by issue_comment", "on: [push, issue_comment]"),
    bad(rights.nothing_is_given_by_default, "bad.yml: lacks", "on: push"),
    bad(rights.nothing_is_given_by_default, "bad.yml: lacks", "permissions: read-all"),
    bad(rights.nothing_is_given_by_default, "bad.yml: lacks", "permissions:\n  contents: read"),
    bad(rights.nothing_is_given_by_default, "one: says no permissions", job("steps: []", "permissions: {}")),
    bad(rights.nothing_is_given_by_default, "one: gives write-all", job("permissions: write-all", "permissions: {}")),
    bad(rights.every_permission_has_a_reason, "contents says no reason", job("permissions:\n  contents: read")),
    bad(rights.every_permission_has_a_reason, "contents says no reason", job("permissions: {contents: read} # it")),
    bad(
        rights.what_is_proposed_can_write_nothing, "gets issues",
        job("permissions:\n  issues: write", "on: pull_request"),
    ),
    bad(
        rights.what_is_proposed_can_write_nothing, "gets id-token",
        job("permissions:\n  id-token: write", "on: [push, merge_group]"),
    ),
    bad(rights.what_is_proposed_can_write_nothing, "gets every", job("permissions: write-all", "on: pull_request")),
    bad(
        rights.what_is_proposed_can_write_nothing, "gets id-token",
        job("permissions:\n  id-token: write\nuses: $/.github/workflows/preview.yml", "on: pull_request"), REVIEW,
    ),
    bad(
        rights.callers_give_what_is_needed_and_no_more, "called.yml asks for write",
        job(f"permissions:\n  contents: read\n  issues: read\n{CALL}"), called=CALLED,
    ),
    bad(
        rights.callers_give_what_is_needed_and_no_more, "gives issues: none",
        job(f"permissions:\n  contents: write\n{CALL}"), called=CALLED,
    ),
    bad(
        rights.callers_give_what_is_needed_and_no_more, "gives packages: write",
        job(f"permissions:\n  contents: write\n  issues: read\n  packages: write\n{CALL}"), called=CALLED,
    ),
    bad(rights.who_takes_a_role_may_and_nobody_else, "lacks id-token", job(f"permissions: {{}}\n{ROLE}")),
    bad(rights.who_takes_a_role_may_and_nobody_else, "takes no role", job("permissions: {id-token: write}\nsteps: []")),
    bad(rights.no_keys_are_kept, "names the secret PULUMI", step("env: {TOKEN: '${{ secrets.PULUMI }}'}")),
    bad(rights.no_keys_are_kept, "names the secret X", step("env: {TOKEN: \"${{ secrets['X'] }}\"}")),
    bad(rights.no_keys_are_kept, "takes all secrets", step("env: {ALL: '${{ toJSON(secrets) }}'}")),
    bad(rights.no_keys_are_kept, "takes all secrets", step("env: {ONE: '${{ secrets[matrix.name] }}'}")),
    bad(rights.no_keys_are_kept, "hands secrets on", job(f"{CALL}\nsecrets: inherit")),
    bad(rights.no_keys_are_kept, "names AWS_SECRET_ACCESS_KEY", step("env: {AWS_SECRET_ACCESS_KEY: '${{ vars.K }}'}")),
    bad(rights.no_keys_are_kept, "names aws-access-key-id", step("with: {aws-access-key-id: '${{ vars.ID }}'}")),
    bad(
        rights.a_secret_is_asked_for_in_its_environment, "outside an environment",
        step("env: {KEY: '${{ secrets.RELEASE_APP_KEY }}'}"),
    ),
    bad(rights.every_checkout_forgets_its_token, "keeps its token", step(f"uses: {USED}")),
    bad(
        rights.every_checkout_forgets_its_token, "keeps its token",
        step(f"{{uses: actions/checkout@{COMMIT}, with: {{persist-credentials: true}}}}"),
    ),
    bad(rights.no_expression_is_in_a_script, "an expression", step("run: echo ${{ github.head_ref }}")),
    bad(
        rights.no_expression_is_in_a_script, "an expression",
        "runs:\n  using: composite\n  steps:\n    - run: echo ${{ inputs.x }}\n", ".github/actions/x/action.yml",
    ),
]  # fmt: skip
LAST = "uses: $/.github/workflows/failed.yml"
TOLD = f"if: {flow.TELLS_WHEN}\n    with:\n      mended: {flow.MENDED}\n    {LAST}"
TELLER = "on:\n  workflow_call:\n    inputs:\n      mended: {required: true}\njobs: {}\n"
GATE = "jobs:\n  lint: {steps: []}\n  checks:\n    needs: []\n    if: always()\n"
FLOW = [
    bad(flow.every_job_ends, "timeout-minutes is missing", job("steps: []")),
    bad(flow.every_job_ends, "timeout-minutes is 360", job("timeout-minutes: 360\nsteps: []")),
    bad(flow.what_must_not_run_twice_waits, "runs twice", job("permissions:\n  contents: write\nsteps: []")),
    bad(
        flow.what_changes_something_is_never_cut_off, "may be cancelled",
        job("permissions:\n  contents: write\nconcurrency: {group: a, cancel-in-progress: true}"),
    ),
    bad(
        flow.what_changes_something_is_never_cut_off, "may be cancelled",
        job(f"permissions:\n  contents: write\n{CALL}", "concurrency: {group: a, cancel-in-progress: '${{ true }}'}"),
    ),
    bad(flow.the_one_check_waits_for_all, "there is no job", "jobs: {}", CHECKS),
    bad(flow.the_one_check_waits_for_all, "does not wait for lint", GATE, CHECKS),
    bad(flow.the_one_check_waits_for_all, "is skipped", "jobs:\n  checks: {needs: []}", CHECKS),
    bad(flow.a_failure_is_told, "tells nobody", job("steps: []", "on: {schedule: [{cron: x}]}"), failed=TELLER),
    bad(
        flow.a_failure_is_told, "does not hear of one",
        f"on: push\njobs:\n  one: {{}}\n  failed:\n    {TOLD}\n", failed=TELLER,
    ),
    bad(
        flow.a_failure_is_told, "does not hear of every end",
        f"on: push\njobs:\n  one: {{}}\n  failed:\n    needs: one\n    if: failure()\n    {LAST}\n", failed=TELLER,
    ),
    bad(flow.what_is_called_gets_its_inputs, "needs the input mended", job(LAST), failed=TELLER),
    bad(
        flow.what_is_called_gets_its_inputs, "has no input mender",
        job(f"{LAST}\nwith: {{mended: true, mender: x}}"), failed=TELLER,
    ),
    Bad(
        flow.what_is_called_gets_its_inputs, "has no input motor",
        {
            BAD: step("{uses: $/.github/actions/setup, with: {motor: true}}"),
            ".github/actions/setup/action.yml": "inputs: {engine: {default: x}}\nruns: {steps: []}\n",
        },
    ),
]  # fmt: skip
EXAMPLES = (*PINNED, *RIGHTS, *FLOW)
assert {FAILED} == {path for one in FLOW for path in one.texts if path.endswith("failed.yml")}
