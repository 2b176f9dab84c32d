"""Image tags: which labels a build gets in a registry, for people who look there. Releases pin digests, never these.

Comes in: the ref and the commit that were built. Goes out: tags, valid ones only, without repeats. A pre-release
never becomes `latest`, nor what `v1` or `v1.4` means. Pure.
"""

import re

LONGEST = 128
_VERSION = re.compile(
    r"v(?P<major>0|[1-9]\d*)\.(?P<minor>0|[1-9]\d*)\.(?P<patch>0|[1-9]\d*)(?P<rest>[-+][0-9A-Za-z.+-]+)?"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_STRANGE = re.compile(r"[^A-Za-z0-9._-]+")
MAIN = "main"


def tags(ref: str, commit: str, *, suffix: str = "", newest: bool = True) -> tuple[str, ...]:
    """The tags of a build of `ref`, which is in full: `refs/heads/...` or `refs/tags/...`.

    `newest` says that no newer version was released: only then `v1.4`, `v1` and `latest` move. `latest` is that of
    main for a branch. Raises ValueError for what is no commit, no such ref or no possible suffix.
    """
    if not _COMMIT.fullmatch(commit):
        raise ValueError(f"{commit!r} is no commit in full")
    if suffix and not _TAG.fullmatch(f"x{suffix}"):
        raise ValueError(f"{suffix!r} cannot end a tag")
    named = (*_of_ref(ref, newest=newest), f"sha-{commit}")
    room = LONGEST - len(suffix)
    return tuple(dict.fromkeys(f"{name[:room]}{suffix}" for name in named))


def _of_ref(ref: str, *, newest: bool) -> tuple[str, ...]:
    if ref.startswith("refs/tags/"):
        return _of_tag(ref.removeprefix("refs/tags/"), newest=newest)
    if ref.startswith("refs/heads/"):
        branch = ref.removeprefix("refs/heads/")
        return (_plain(branch), "latest") if branch == MAIN else (_unmistakable(_plain(branch)),)
    raise ValueError(f"{ref!r} is neither a branch nor a tag")


def _of_tag(name: str, *, newest: bool) -> tuple[str, ...]:
    found = _VERSION.fullmatch(name)
    if not found:
        raise ValueError(f"{name!r} is no version such as v1.4.0")
    exact = _plain(name)
    if (found["rest"] or "").startswith("-") or not newest:
        return (exact,)
    major, minor = found["major"], found["minor"]
    # Before 1.0 every minor version may break: v0 would promise what nobody promised.
    broad = (f"v{major}.{minor}", *([f"v{major}"] if major != "0" else []))
    return (exact, *broad, "latest")


def _plain(name: str) -> str:
    return _STRANGE.sub("-", name).lstrip(".-") or "branch"


def _unmistakable(name: str) -> str:
    """A branch called `latest`, `v1` or `sha-…` must not move the tag of that name."""
    taken = name in ("latest", MAIN) or re.fullmatch(r"v\d.*|sha-.*", name)
    return f"branch-{name}" if taken else name
