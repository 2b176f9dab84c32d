"""The repository's retention, judged by AWS's documented rules over made-up histories."""

import fnmatch
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from stacks.registry import lifecycle_policy
from tests.stacks.recording_engine import record
from tests.stacks.texts import DIGEST, release_text, settings_text

pytestmark = pytest.mark.nightly


@dataclass(frozen=True)
class Image:
    """One image of a repository; `age` in days since it was pushed."""

    name: str
    age: float
    tags: tuple[str, ...] = ()


def expired(policy: str, images: list[Image]) -> set[str]:
    """Names of the images that AWS would expire.

    "Any image that matches the tagging requirement of a rule cannot be expired by a rule with a lower priority",
    also when that rule keeps it; several patterns must all match; the newest by push time are kept
    (docs: Amazon ECR user guide, lifecycle policies).
    """
    gone: set[str] = set()
    claimed: set[str] = set()
    for rule in sorted(json.loads(policy)["rules"], key=lambda rule: rule["rulePriority"]):
        selection = rule["selection"]
        matching = [image for image in images if _selected(image, selection)]
        newest_first = sorted(matching, key=lambda image: image.age)
        gone |= {image.name for image in _over(newest_first, selection)} - claimed
        claimed |= {image.name for image in matching}
    return gone


def _selected(image: Image, selection: dict[str, Any]) -> bool:
    if selection["tagStatus"] == "untagged":
        return not image.tags
    if selection["tagStatus"] == "any":
        return True
    return all(any(fnmatch.fnmatchcase(tag, pattern) for tag in image.tags) for pattern in selection["tagPatternList"])


def _over(newest_first: list[Image], selection: dict[str, Any]) -> list[Image]:
    if selection["countType"] == "imageCountMoreThan":
        return newest_first[selection["countNumber"] :]
    return [image for image in newest_first if image.age > selection["countNumber"]]


HISTORY = [Image(f"build-{number}", age=number, tags=(f"sha-{number}",)) for number in range(1, 701)]


def test_a_released_image_is_never_expired_however_old_and_however_many_came_after() -> None:
    released = Image("released", age=3000, tags=("sha-1", "release-6c3c624b58db"))
    released_alone = Image("released without its first tag", age=4000, tags=("release-000000000000",))

    assert expired(lifecycle_policy(), [*HISTORY, released, released_alone]).isdisjoint(
        {"released", "released without its first tag"}
    )


@dataclass
class Years:
    """A team's registry over years: builds, waits, releases, ways back; the policy is applied every night."""

    chance: Random
    shields: bool = True  # the controller tags what it pins or has to wait with
    images: dict[str, Image] = field(default_factory=dict)
    pinned: str = ""
    waits: int = 0  # days
    live: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    def day(self, number: int, policy: str) -> None:
        for build in range(self.chance.randint(0, 6)):
            self._push(f"{number}.{build}")
        if self.waits:
            self.waits -= 1
        elif self.pinned and (not self.live or self.live[-1] != self.pinned):
            self.live.append(self.pinned)
        self._person()
        for digest in (self.pinned, *self.live[-1:]):
            if digest and self.shields:
                self._tag(digest, f"release-{digest}")
        self.gone |= expired(policy, list(self.images.values()))
        self.images = {
            name: replace(one, age=one.age + 1) for name, one in self.images.items() if name not in self.gone
        }

    def needed(self) -> set[str]:
        """What must be there: what git pins, what runs, and what any way back may lead to."""
        return {self.pinned, *self.live} - {""}

    def _person(self) -> None:
        """Pins a build of the last days now and then, and holds the environment for months now and then."""
        young = [name for name, one in self.images.items() if one.age < 5]
        what = self.chance.random()
        if what < 0.10 and young:
            self.pinned = self.chance.choice(young)
            self.waits = self.chance.choice([0, 0, 1, 30, 200])
        elif what < 0.13 and len(self.live) > 1:
            self.pinned, self.waits = self.chance.choice(self.live), 0

    def _push(self, name: str) -> None:
        tags = (f"sha-{name}",) if self.chance.random() < 0.7 else ()
        self.images[name] = Image(name, age=0, tags=tags)

    def _tag(self, digest: str, tag: str) -> None:
        one = self.images[digest]
        self.images[digest] = replace(one, tags=(*one.tags, tag)) if tag not in one.tags else one


@pytest.mark.parametrize("seed", range(6))
def test_over_years_nothing_that_is_pinned_live_or_needed_to_go_back_is_ever_expired(seed: int) -> None:
    years, policy = Years(Random(seed)), lifecycle_policy()  # noqa: S311 - a story, no secret
    for number in range(3 * 365):
        years.day(number, policy)
        assert years.needed() <= set(years.images), f"day {number}"

    assert len(years.live) > 30
    assert len(years.gone) > 1000  # or nothing was put to the test


def test_without_the_shield_the_same_years_lose_what_is_needed() -> None:
    years, policy = Years(Random(0), shields=False), lifecycle_policy()  # noqa: S311 - a story, no secret
    for number in range(3 * 365):
        years.day(number, policy)

    assert years.needed() & years.gone


def test_the_shield_is_what_protects_a_released_image() -> None:
    policy = json.loads(lifecycle_policy())
    unshielded = json.dumps({"rules": [rule for rule in policy["rules"] if rule["rulePriority"] != 1]})

    assert "released" in expired(unshielded, [*HISTORY, Image("released", age=3000, tags=("release-6c3c624b58db",))])


def test_builds_beyond_the_newest_five_hundred_are_expired() -> None:
    assert expired(lifecycle_policy(), HISTORY) == {f"build-{number}" for number in range(501, 701)}


@pytest.mark.parametrize(("age", "gone"), [pytest.param(13, set(), id="young"), pytest.param(15, {"left"}, id="old")])
def test_untagged_images_are_kept_for_two_weeks(age: int, gone: set[str]) -> None:
    assert expired(lifecycle_policy(), [Image("left", age=age)]) == gone


def test_the_rules_stand_in_the_order_of_their_priority_and_any_comes_last() -> None:
    rules = json.loads(lifecycle_policy())["rules"]

    assert [rule["rulePriority"] for rule in rules] == sorted(rule["rulePriority"] for rule in rules)
    assert [rule["selection"]["tagStatus"] for rule in rules] == ["tagged", "untagged", "any"]
    assert 100 <= len(lifecycle_policy()) <= 30720


def test_tags_of_builds_and_of_releases_cannot_move(tmp_path: Path) -> None:
    recording = record(tmp_path, release=release_text({"web": DIGEST}), settings_file=settings_text({"web": ""}))
    repository = recording.one("Repository", "web").inputs

    assert repository["imageTagMutability"] == "MUTABLE_WITH_EXCLUSION"
    assert repository["imageTagMutabilityExclusionFilters"] == [
        {"filter": "sha-*", "filterType": "WILDCARD"},
        {"filter": "release-*", "filterType": "WILDCARD"},
    ]
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    assert recording.one("LifecyclePolicy", "web").inputs["policy"] == lifecycle_policy()
