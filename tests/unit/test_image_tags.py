"""Tags of images: what each ref gets, and what nobody can take by a clever name."""

import pytest

from releasectl.image_tags import tags

SHA = "9a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
OWN = f"sha-{SHA}"


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("refs/tags/v1.4.0", ("v1.4.0", "v1.4", "v1", "latest", OWN)),
        ("refs/tags/v10.0.12", ("v10.0.12", "v10.0", "v10", "latest", OWN)),
        ("refs/tags/v0.3.1", ("v0.3.1", "v0.3", "latest", OWN)),
        ("refs/tags/v2.0.0-rc.1", ("v2.0.0-rc.1", OWN)),
        ("refs/tags/v1.4.0+build.7", ("v1.4.0-build.7", "v1.4", "v1", "latest", OWN)),
        ("refs/heads/main", ("main", "latest", OWN)),
        ("refs/heads/develop", ("develop", OWN)),
        ("refs/heads/feature/new door", ("feature-new-door", OWN)),
        ("refs/heads/latest", ("branch-latest", OWN)),
        ("refs/heads/v1", ("branch-v1", OWN)),
        ("refs/heads/-main", ("branch-main", OWN)),
        ("refs/heads/sha-abc", ("branch-sha-abc", OWN)),
        ("refs/heads/..", ("branch", OWN)),
        ("refs/heads/日本", ("branch", OWN)),
    ],
)
def test_a_ref_has_its_tags(ref: str, expected: tuple[str, ...]) -> None:
    assert tags(ref, SHA) == expected


def test_an_older_line_moves_nothing_but_its_own_tag() -> None:
    assert tags("refs/tags/v1.4.7", SHA, newest=False) == ("v1.4.7", OWN)


def test_a_suffix_ends_all_of_them_and_they_still_fit() -> None:
    assert tags("refs/heads/main", SHA, suffix="-slim") == ("main-slim", "latest-slim", f"{OWN}-slim")
    assert {len(tag) for tag in tags(f"refs/heads/{'x' * 300}", SHA, suffix="-slim")} == {128, len(OWN) + 5}


@pytest.mark.parametrize(
    ("ref", "commit", "suffix"),
    [
        ("refs/tags/1.4.0", SHA, ""), ("refs/tags/v1.4", SHA, ""), ("refs/tags/v01.4.0", SHA, ""), ("main", SHA, ""),
        ("refs/pull/7/merge", SHA, ""), ("refs/heads/main", "9a1b2c3", ""), ("refs/heads/main", SHA, "/x"),
        ("refs/heads/main", SHA, "\nlatest"), ("refs/tags/v1.4.0\n", SHA, ""), ("refs/heads/main", SHA.upper(), ""),
    ],
)  # fmt: skip
def test_what_has_no_tags_is_an_error(ref: str, commit: str, suffix: str) -> None:
    with pytest.raises(ValueError, match=r"is no|is neither|cannot end"):
        tags(ref, commit, suffix=suffix)
