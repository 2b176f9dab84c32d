"""The release file: its rules, each mistake in its own words, and the identity of a release."""

from dataclasses import replace

import pytest

from releasectl.errors import InvalidFile
from releasectl.release import Pin, Release, identity, parse_release

DIGEST = "sha256:" + "6c3c624b" * 8
COMMIT = "9a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
PROGRAM = "3f1c2d4e5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d"
WEB = Pin(DIGEST, "1.4.0", COMMIT, "")
RELEASE = Release("1", PROGRAM, {"web": WEB})


def written(**other: str) -> bytes:
    """A release file with one service in which some scalars stand as given."""
    values = {"schema": "1", "program": PROGRAM, "name": "web", "digest": DIGEST, "version": '"1.4.0"'}
    values |= {"commit": COMMIT, "restart": '""'} | other
    lines = ["schema: {schema}", "program: {program}", "services:", "  {name}:", "    digest: {digest}"]
    lines += ["    version: {version}", "    commit: {commit}", "    restart: {restart}  # a time", ""]
    return "\n".join(lines).format(**values).encode()


def test_the_file_of_the_design_is_a_release() -> None:
    assert parse_release("f", written()) == RELEASE


def test_a_new_environment_has_neither_program_nor_digest() -> None:
    release = parse_release("f", written(program='""', digest='""', version='""', commit='""'))

    assert release == Release("1", "", {"web": Pin("", "", "", "")})


@pytest.mark.parametrize("text", ["1.10", "0x10", "010", "true", "12:30", "2026-11-21", "1e3", "no"])
def test_an_unquoted_label_is_the_text_that_stands_there(text: str) -> None:
    assert parse_release("f", written(version=text)).services["web"].version == text


def test_an_unquoted_commit_of_digits_is_no_number() -> None:
    assert parse_release("f", written(commit="0" * 39 + "1")).services["web"].commit == "0" * 39 + "1"


@pytest.mark.parametrize("text", ["2026-11-21T10:00:00Z", "2026-11-21T10:00:00.5+01:00"])
def test_a_restart_is_a_time_with_its_offset(text: str) -> None:
    assert parse_release("f", written(restart=text)).services["web"].restart == text


MISTAKES = {
    "another schema": ({"schema": "2"}, "1:9 schema", "`schema` is `2`", "Write one of: `1`."),
    "a branch as program": ({"program": "main"}, "2:10 program", "is a branch, a tag or no commit", "rev-parse"),
    "no program": ({"program": '""'}, "2:10 program", "`program` is empty, but a service", "Pin"),
    "a service in upper case": ({"name": "Web"}, "4:3 services.Web", "`Web` is no name for a service", "Rename"),
    "a long service": ({"name": "w" * 32}, "4:3 services." + "w" * 32, "is no name for a service", "Rename"),
    "a tag": ({"digest": "v1.4.0"}, "5:13 services.web.digest", "looks like a tag", "Pin the digest"),
    "an image": ({"digest": f"web@{DIGEST}"}, "5:13 services.web.digest", "an image reference", "part after `@`"),
    "an upper-case digest": ({"digest": DIGEST.upper()}, "5:13 services.web.digest", "upper-case", "lower case"),
    "a short digest": ({"digest": DIGEST[:20]}, "5:13 services.web.digest", "has 13 hex characters, not 64", "Copy"),
    "a long digest": ({"digest": DIGEST + "a"}, "5:13 services.web.digest", "has 65 hex characters, not 64", "Copy"),
    "a digest without name": ({"digest": DIGEST[7:]}, "5:13 services.web.digest", "lacks the name", "Write `sha256:`"),
    "another algorithm": ({"digest": "sha512:abc"}, "5:13 services.web.digest", "no sha256 digest", "64 hex"),
    "not hex": ({"digest": "sha256:xyz"}, "5:13 services.web.digest", "no sha256 digest", "64 hex"),
    "a digest with a line break": ({"digest": f'"{DIGEST}\\n"'}, "5:13 services.web.digest", "no sha256 digest", "64"),
    "no digest": ({"digest": ""}, "5:12 services.web.digest", "there is no value", 'or `""` for none'),
    "a long label": ({"version": "v" * 129}, "6:14 services.web.version", "has 129 characters", "Shorten"),
    "a label of two lines": ({"version": '"a\\nb"'}, "6:14 services.web.version", "cannot be printed", "1.4.0"),
    "a short commit": ({"commit": COMMIT[:7]}, "7:13 services.web.commit", "has 7 hex characters", "rev-parse 9a1b2c3"),
    "an upper-case commit": ({"commit": COMMIT.upper()}, "7:13 services.web.commit", "upper-case", "lower case"),
    "an hour": ({"restart": "10:00"}, "8:14 services.web.restart", "which is no time", "2026-11-21T10:00:00Z"),
    "no offset": ({"restart": "2026-11-21T10:00:00"}, "8:14 services.web.restart", "which is no time", "Write"),
    "no such day": ({"restart": "2026-02-31T10:00:00Z"}, "8:14 services.web.restart", "which is no time", "Write"),
    "a list": ({"version": "[a]"}, "6:5 services.web.version", "should be text, not a list", "quotes"),
}  # fmt: skip


@pytest.mark.parametrize(("other", "place", "words", "remedy"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_has_its_place_its_words_and_its_remedy(
    other: dict[str, str], place: str, words: str, remedy: str
) -> None:
    with pytest.raises(InvalidFile) as caught:
        parse_release("releases/staging.yaml", written(**other))

    (finding,) = caught.value.findings
    assert finding.where == f"releases/staging.yaml:{place}"
    assert words in finding.message
    assert remedy in finding.remedy


@pytest.mark.parametrize("services", [b" {}", b" []", b"", b" text", b" {web: text}"])
def test_services_are_a_mapping_with_at_least_one(services: bytes) -> None:
    with pytest.raises(InvalidFile) as caught:
        parse_release("f", b'schema: 1\nprogram: ""\nservices:' + services + b"\n")

    assert len(caught.value.findings) == 1


def test_the_rule_about_the_program_is_judged_even_beside_other_mistakes() -> None:
    with pytest.raises(InvalidFile) as caught:
        parse_release("f", written(program='""', digest="v1"))

    assert len(caught.value.findings) == 2


def test_the_identity_ignores_labels_and_order() -> None:
    other = {"b": WEB, "a": replace(WEB, version="2", commit="")}
    same = {"a": WEB, "b": WEB}

    assert identity(replace(RELEASE, services=other), {"x": 1, "y": 2}) == identity(
        replace(RELEASE, services=same), {"y": 2, "x": 1}
    )


CHANGES = {
    "a digest": (replace(RELEASE, services={"web": replace(WEB, digest="sha256:" + "0" * 64)}), {}),
    "a restart": (replace(RELEASE, services={"web": replace(WEB, restart="2026-11-21T10:00:00Z")}), {}),
    "a program": (replace(RELEASE, program="0" * 40), {}),
    "a service's name": (replace(RELEASE, services={"api": WEB}), {}),
    "another service": (replace(RELEASE, services={"web": WEB, "api": WEB}), {}),
    "a setting": (RELEASE, {"cpu": 1}),
}


@pytest.mark.parametrize(("release", "settings"), CHANGES.values(), ids=CHANGES.keys())
def test_the_identity_changes_with(release: Release, settings: dict[str, object]) -> None:
    assert identity(release, settings) != identity(RELEASE, {})


def test_the_identity_of_a_release_stays_what_it_was_when_it_was_recorded() -> None:
    recorded = "aed4a9a170f815fb11b18dff7fb7459dcaa3e88852077638e3700217d4889786"

    assert identity(RELEASE, {"cpu": 1024}) == recorded
