"""The issue about drift: opened, left alone, edited, closed; what is in it does nothing."""

import re
from dataclasses import dataclass, field, replace

from releasectl.comment import LIMIT
from releasectl.drift import Difference, Drift, Ignored
from releasectl.drift_issue import body, clean, keep, keep_untold, marker, untold
from releasectl.forge import Actor, Issue
from tests.twins import Down

HOSTILE = "@team <script>alert(1)</script> [x](https://evil.example) | x <!-- y --> `c` #1 ${{ secrets.X }}"
SCALE = Difference("urn", "aws:apprunner/service:Service", "web", "cpu", "update", "1024", "4096", "scale")
GONE = Difference("urn", "aws:sns/topic:Topic", "alerts", "", "delete")
FOUND = Drift("staging", "20261121T120001Z-3f9c1a", ("main is newer",), (SCALE,), (GONE,))


@dataclass
class Issues:
    """What it is asked to do."""

    done: list[tuple[str, str, str]] = field(default_factory=list)

    def find(self, marker: str) -> Issue | None:
        raise NotImplementedError

    def put(self, marker: str, title: str, body: str) -> Issue:
        self.done.append(("put", marker, body))
        return Issue(1, "url", title, body, Actor("me"), is_open=True)

    def close(self, marker: str, body: str) -> Issue | None:
        self.done.append(("close", marker, body))
        return None


def test_drift_is_written_down_and_none_closes() -> None:
    issues, none = Issues(), Drift("staging", FOUND.deployment)
    keep(FOUND, issues)
    keep(none, issues)
    keep_untold("staging", Down("asking AWS: no answer", "Try again."), issues)

    assert [(done, said) for done, said, _ in issues.done] == [
        ("put", marker("staging")), ("close", marker("staging")), ("put", marker("staging")),
    ]  # fmt: skip
    assert issues.done[1][2] == clean(none)


def test_each_difference_has_its_resource_its_place_and_both_values() -> None:
    said = body(FOUND)

    assert "deployment <code>20261121T120001Z-3f9c1a</code> of 2026-11-21 12&#58;00 UTC" in said
    assert "| <code>Service web</code> | <code>cpu</code> | <code>1024</code> | <code>4096</code> |" in said
    assert "| <code>Topic alerts</code> | | it was there | deleted by hand |" in said
    assert "<code>releasectl drift staging --remediate --reason WHY</code>" in said
    assert "<code>releasectl drift staging --adopt</code>" in said
    assert "- main is newer" in said
    assert body(FOUND) == said, "the same drift, the same text"


def test_what_is_ignored_is_counted_and_what_has_no_way_back_is_told() -> None:
    ignored = (Ignored(replace(SCALE, found=None), "tuned"),)
    said = body(replace(FOUND, ignored=ignored, problems=("a bucket would go",), notes=()))

    assert "1 more are ignored" in said
    assert "No way back: a bucket would go" in said


def test_a_value_that_is_none_or_a_document_can_be_read() -> None:
    said = body(replace(FOUND, release=(replace(SCALE, recorded=None, found={"a": [1]}),)))

    assert "| nothing | <code>&#123;&#34;a&#34;&#58; &#91;1&#93;&#125;</code> |" in said


def test_words_of_others_do_nothing() -> None:
    bad = replace(SCALE, type=HOSTILE, name=HOSTILE, path=HOSTILE, recorded=HOSTILE, found={HOSTILE: HOSTILE})
    said = body(replace(FOUND, release=(bad,), notes=(HOSTILE,), problems=(HOSTILE,)))
    said += untold("staging", Down(HOSTILE, HOSTILE)) + clean(Drift("staging", HOSTILE)) + clean(Drift("staging"))

    for part in ("@team", "<script", "](", "<!--", "https://evil", "`", "#1 ", "${{", "| x"):
        assert part not in said
    assert set(re.findall(r"</?(\w+)", said)) == {"code"}


def test_however_much_it_is_it_fits() -> None:
    many = tuple(replace(SCALE, name=f"{number}" + "@" * 300, found="#" * 300) for number in range(200))
    said = body(replace(FOUND, release=many, infrastructure=many))

    assert len(said) < LIMIT + 100
    assert "The rest is cut" in said
    assert said.count("<code>") == said.count("</code>")
