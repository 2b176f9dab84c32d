"""Releases on GitHub: a draft, its files, then public; so that an immutable one is whole when it becomes so.

Comes in: a tag, notes, files. Goes out: the page. Each step can be asked again: what is there already is not made
twice, and a file that is there with another size is an error, never overwritten.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from releasectl.edges.github.errors import GithubFailed
from releasectl.edges.github.wire import Keyed, Model, Wire
from releasectl.forge import Publication


class _File(Model):
    name: str
    size: int = 0
    state: str = ""


class _Release(Keyed):
    tag_name: str
    html_url: str
    draft: bool
    assets: tuple[_File, ...] = ()


@dataclass(frozen=True)
class GithubPublications:
    """See forge.Publications."""

    wire: Wire

    def find(self, tag: str) -> Publication | None:
        """Among all of them: GitHub finds no draft by its tag."""
        found = self._find(tag)
        return _publication(found) if found else None

    def draft(self, tag: str, commit: str, *, title: str, notes: str) -> Publication:
        """Make a draft, or give what is there."""
        body = {"tag_name": tag, "target_commitish": commit, "name": title, "body": notes, "draft": True}

        def post() -> Publication:
            return _publication(self.wire.ask(f"drafting release {tag}", "POST", "releases", _Release, json=body))

        return self.find(tag) or self.wire.create(post, lambda: self.find(tag))

    def attach(self, publication: Publication, name: str, content: bytes, *, kind: str) -> Publication:
        """Add a file; nothing when it has one of that name and size."""
        what = f"attaching {name} to release {publication.tag}"

        def post() -> Publication:
            path = f"releases/{publication.id}/assets?{urlencode({'name': name})}"
            self.wire.upload(what, path, _File, content=content, kind=kind)
            return self._get(what, publication.id)

        def find() -> Publication | None:
            there = next((one for one in self._release(what, publication.id).assets if one.name == name), None)
            if there is None:
                return None
            if there.size != len(content):
                raise GithubFailed(
                    f"{what}: another file of this name is there", "Delete it, or give the new one a new name."
                )
            return self._get(what, publication.id)

        return find() or self.wire.create(post, find)

    def publish(self, publication: Publication, *, is_latest: bool = True) -> Publication:
        """Make a draft public."""
        body = {"draft": False, "make_latest": "true" if is_latest else "false"}
        what = f"publishing release {publication.tag}"
        return _publication(self.wire.ask(what, "PATCH", f"releases/{publication.id}", _Release, json=body))

    def _find(self, tag: str) -> _Release | None:
        listed = self.wire.pages(f"looking for release {tag}", "releases", _Release)
        return next((one for one in listed if one.tag_name == tag), None)

    def _release(self, what: str, number: int) -> _Release:
        return self.wire.ask(what, "GET", f"releases/{number}", _Release)

    def _get(self, what: str, number: int) -> Publication:
        return _publication(self._release(what, number))


def _publication(told: _Release) -> Publication:
    return Publication(told.id, told.tag_name, told.html_url, told.draft, tuple(one.name for one in told.assets))
