"""Workflows on GitHub: started by hand, with the run that it became.

Comes in: the file name of a workflow, a branch or tag, inputs. Goes out: the run. A start whose answer was lost is
looked for among the runs that are newer than those before it: two deploys are harmless, but one is better.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from releasectl.edges.github.wire import Keyed, Model, Wire
from releasectl.forge import Run


class _Started(Model):
    workflow_run_id: int = 0
    html_url: str = ""


class _Run(Keyed):
    html_url: str


@dataclass(frozen=True)
class GithubWorkflows:
    """See forge.Workflows."""

    wire: Wire

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str]) -> Run:
        """With `return_run_details`, which answers with the run since February 2026.

        An older server says nothing; then it is the run that is new, or Run(0, "") while none is to be seen.
        """
        what = f"starting {workflow} on {ref}"
        before = frozenset(one.id for one in self._newest(workflow, ref))
        body = {"ref": ref, "inputs": dict(inputs), "return_run_details": True}

        def post() -> Run:
            path = f"actions/workflows/{quote(workflow, safe='')}/dispatches"
            told = self.wire.ask(what, "POST", path, _Started, json=body)
            started = Run(told.workflow_run_id, told.html_url)
            return started if started.id else find() or started

        def find() -> Run | None:
            return next((one for one in self._newest(workflow, ref) if one.id not in before), None)

        return self.wire.create(post, find)

    def _newest(self, workflow: str, ref: str) -> tuple[Run, ...]:
        class _Runs(Model):
            workflow_runs: tuple[_Run, ...]

        path = f"actions/workflows/{quote(workflow, safe='')}/runs"
        asked = {"event": "workflow_dispatch", "branch": ref, "per_page": "30"}
        told = self.wire.ask(f"looking at the runs of {workflow}", "GET", path, _Runs, params=asked)
        return tuple(Run(one.id, one.html_url) for one in told.workflow_runs)
