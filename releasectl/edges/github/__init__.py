"""GitHub, asked through githubkit: one repository of one server, as one account.

Comes in: an Account. Goes out: the parts of releasectl/forge.py, each in a file of its own here; `wire` carries the
questions, `errors` says how GitHub says no. Asked for nothing, it asks nothing: a command that needs no GitHub works
without a token.
"""

from dataclasses import dataclass
from functools import cached_property

from releasectl.edges.github.account import Account
from releasectl.edges.github.branches import GithubBranches
from releasectl.edges.github.checks import GithubChecks
from releasectl.edges.github.comments import GithubComments
from releasectl.edges.github.errors import GithubFailed
from releasectl.edges.github.issues import GithubIssues
from releasectl.edges.github.mirror import GithubMirror
from releasectl.edges.github.publications import GithubPublications
from releasectl.edges.github.pulls import GithubPulls
from releasectl.edges.github.wire import Wire
from releasectl.edges.github.workflows import GithubWorkflows
from releasectl.forge import Actor

_VIEWER = "query { viewer { login databaseId } }"


@dataclass(frozen=True)
class Github:
    """See forge.Forge."""

    account: Account

    @cached_property
    def wire(self) -> Wire:
        """The one connection."""
        return Wire(self.account)

    def me(self) -> Actor:
        """Who the token belongs to; for an App its bot."""
        return self._me

    @property
    def branches(self) -> GithubBranches:
        """Content."""
        return GithubBranches(self.wire)

    @property
    def pulls(self) -> GithubPulls:
        """Pull requests."""
        return GithubPulls(self.wire)

    @property
    def comments(self) -> GithubComments:
        """Comments."""
        return GithubComments(self.wire, self.me)

    @property
    def issues(self) -> GithubIssues:
        """Issues."""
        return GithubIssues(self.wire, self.me)

    @property
    def checks(self) -> GithubChecks:
        """Check runs."""
        return GithubChecks(self.wire)

    @property
    def mirror(self) -> GithubMirror:
        """Deployments as GitHub shows them."""
        return GithubMirror(self.wire)

    @property
    def workflows(self) -> GithubWorkflows:
        """Workflows."""
        return GithubWorkflows(self.wire)

    @property
    def publications(self) -> GithubPublications:
        """Releases."""
        return GithubPublications(self.wire)

    @cached_property
    def _me(self) -> Actor:
        what = "asking GitHub who we are"
        viewer = self.wire.graphql(what, _VIEWER, {}).get("viewer")
        if not isinstance(viewer, dict) or not viewer.get("login"):
            raise GithubFailed(f"{what}: the answer names nobody", "Check the token.")
        return Actor(str(viewer["login"]), viewer.get("databaseId"))
