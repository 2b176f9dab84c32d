"""Release pages and their files. Publishing a draft makes its tag, as on GitHub; a published one takes no more files
when the repository's releases are immutable, which the sandbox's always are."""

import hashlib
from typing import Any

from sandbox.github import shapes
from sandbox.github.asked import Asked, No, Reply, Route, View
from sandbox.github.state import Asset, Release, now


def listing(view: View, asked: Asked) -> Reply:
    """List releases, newest first, drafts too for who may write."""
    may = asked.token.permissions.get("contents") == "write"
    found = [one for one in view.state.releases.values() if may or not one.given.get("draft")]
    return Reply([_shape(view, one) for one in sorted(found, key=lambda one: -one.id)], within="-")


def get(view: View, _asked: Asked, release: str) -> Reply:
    """Get one."""
    return Reply(_shape(view, _release(view, release)))


def create(view: View, asked: Asked) -> Reply:
    """Make one."""
    tag, draft = asked.given("tag_name"), bool(asked.body.get("draft"))
    if not draft and any(
        one.given["tag_name"] == tag and not one.given.get("draft") for one in view.state.releases.values()
    ):
        raise No(422, "Validation Failed", {"resource": "Release", "code": "already_exists", "field": "tag_name"})
    made = Release(view.state.next_id(), asked.token.person, now(), dict(asked.body))
    view.state.releases[made.id] = made
    if not draft:
        _publish(view, asked, made)
    return Reply(_shape(view, made), 201)


def update(view: View, asked: Asked, release: str) -> Reply:
    """Edit or publish one."""
    found = _release(view, release)
    was_draft = bool(found.given.get("draft"))
    found.given |= asked.body
    if was_draft and not found.given.get("draft"):
        _publish(view, asked, found)
    return Reply(_shape(view, found))


def attach(view: View, asked: Asked, release: str) -> Reply:
    """Add a file."""
    found, name = _release(view, release), asked.params.get("name", "")
    if not found.given.get("draft"):
        raise No(422, "Cannot upload assets to an immutable release.")
    if not name or any(one.name == name for one in found.assets):
        raise No(422, "Validation Failed", {"resource": "ReleaseAsset", "code": "already_exists", "field": "name"})
    digest = f"sha256:{hashlib.sha256(asked.raw).hexdigest()}"
    kind = asked.headers.get("Content-Type", "application/octet-stream")
    made = Asset(view.state.next_id(), name, kind, len(asked.raw), digest, asked.token.person, now())
    found.assets.append(made)
    return Reply(_asset(view, made), 201)


def _publish(view: View, asked: Asked, release: Release) -> None:
    release.published = now()
    tag = f"refs/tags/{release.given['tag_name']}"
    commit = view.repository.ref(tag)
    if not commit:
        commit = view.repository.commit_of(release.given.get("target_commitish") or "main")
        if not commit:
            raise No(422, "Validation Failed", {"resource": "Release", "code": "invalid", "field": "target_commitish"})
        view.repository.set_ref(tag, commit, "")
        view.happened("push", asked.token, tag, commit)
    view.happened("release", asked.token, tag, commit, action="published")


def _release(view: View, release: str) -> Release:
    found = view.state.releases.get(int(release)) if release.isdigit() else None
    if found is None:
        raise No(404, "Not Found")
    return found


def _shape(view: View, one: Release) -> dict[str, Any]:
    url, given = f"{view.api}/releases/{one.id}", one.given
    return {
        "url": url, "html_url": f"{view.page}/releases/tag/{given['tag_name']}", "assets_url": f"{url}/assets",
        "upload_url": f"{url}/assets{{?name,label}}", "tarball_url": None, "zipball_url": None, "id": one.id,
        "node_id": f"RE_{one.id}", "tag_name": given["tag_name"],
        "target_commitish": given.get("target_commitish", "main"), "name": given.get("name"),
        "body": given.get("body"), "draft": bool(given.get("draft")), "prerelease": bool(given.get("prerelease")),
        "immutable": not given.get("draft"), "created_at": one.created, "published_at": one.published,
        "author": shapes.user(view, one.author), "assets": [_asset(view, each) for each in one.assets],
    }  # fmt: skip


def _asset(view: View, one: Asset) -> dict[str, Any]:
    return {
        "url": f"{view.api}/releases/assets/{one.id}", "browser_download_url": f"{view.page}/download/{one.name}",
        "id": one.id, "node_id": f"RA_{one.id}", "name": one.name, "label": "", "state": "uploaded",
        "content_type": one.kind, "size": one.size, "digest": one.digest, "download_count": 0,
        "created_at": one.created, "updated_at": one.created, "uploader": shapes.user(view, one.uploader),
    }  # fmt: skip


ROUTES = (
    Route("GET", "/releases", listing, "contents"),
    Route("POST", "/releases", create, "contents"),
    Route("GET", "/releases/{release}", get, "contents"),
    Route("PATCH", "/releases/{release}", update, "contents"),
    Route("POST", "/releases/{release}/assets", attach, "contents"),
)
