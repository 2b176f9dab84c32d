"""Init: a team's answers become edits of the template's own files.

Comes in: the files of the work tree and the answers. Goes out: the files that change, with findings where an answer
cannot be followed; any finding means that nothing is to be written. What an answer does not name stays as it is, so
the same answers twice change nothing. It opens no file, and whether the outcome is valid is for `releasectl check`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from releasectl import codeowners, own_workflows, protection, target
from releasectl.answers import (
    ACCOUNT,
    ALERTS,
    NETWORK,
    REGION,
    SERVICES,
    Answers,
    Files,
    Place,
    services_of,
    settings_of,
    texts,
)
from releasectl.document import near, shown
from releasectl.errors import Finding
from releasectl.pipeline import Pipeline, parse_pipeline
from releasectl.release import Release, parse_release
from releasectl.rewrite import Value, put, rename

APP_RUNNER = "app-runner"
UNPINNED = {"digest": "", "version": "", "commit": "", "restart": ""}
# What says when an instance is added, with what to begin with: App Runner knows the one, ECS the other.
SCALES_BY = {True: ("concurrency", 80), False: ("cpu_percent", 60)}
_REPOSITORY = re.compile(r"[A-Za-z0-9-]{1,39}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_RULES = protection.rulesets()
_NO_APP = "none"
_APP = re.compile(rf"[1-9][0-9]{{0,11}}|{_NO_APP}")
COPIED = ("runtime", "cpu", "memory", "port", "health_path", "version_path", "scaling", "alarms")


@dataclass(frozen=True)
class Outcome:
    """What would be written, or why nothing may be; `notes` are for people."""

    files: Files
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Names:
    """What becomes of the services: new names for old ones, and names that are new."""

    renamed: Mapping[str, str]
    added: tuple[str, ...]
    left: tuple[str, ...]

    def now(self, known: Sequence[str]) -> tuple[str, ...]:
        return (*(self.renamed.get(name, name) for name in known), *self.added)


def answered(files: Files, answers: Answers) -> Outcome:
    """The files as the answers want them. Raises InvalidFile for a file that is broken, CannotEdit."""
    pipeline = parse_pipeline(target.PIPELINE, files[target.PIPELINE])
    releases = {
        each.name: parse_release(target.release_path(each.name), files[target.release_path(each.name)])
        for each in pipeline.environments
    }
    names = _names(tuple(pipeline.services), answers.services)
    findings = (
        *_misnamed(answers, names.now(tuple(pipeline.services))),
        *_not_on_github(files, answers),
        *_may_not_be_renamed(names, releases),
        *_may_not_move(files, answers, releases),
    )
    if findings:
        return Outcome({}, findings)
    changed = dict(files)
    _edit_pipeline(changed, names, answers, pipeline)
    for environment in releases:
        _edit_release(changed, environment, names)
        _edit_settings(changed, environment, names, answers.places.get(environment, Place()))
    _edit_github(changed, names, answers)
    notes = tuple(f"{name} stays: nothing is taken away here; delete it by hand" for name in names.left)
    return Outcome({path: raw for path, raw in changed.items() if raw != files.get(path)}, notes=notes)


def _names(known: tuple[str, ...], asked: tuple[str, ...]) -> _Names:
    """Names that stay are found first; then what is left over of the old ones gets what is left over of the new."""
    old = [name for name in known if name not in asked] if asked else []
    new = [name for name in dict.fromkeys(asked) if name not in known]
    pairs = dict(zip(old, new, strict=False))
    return _Names(pairs, tuple(new[len(pairs) :]), tuple(old[len(pairs) :]))


def _misnamed(answers: Answers, services: Sequence[str]) -> Iterator[Finding]:
    """Answers about a service that there is not."""
    about = [*answers.repositories, *(name for place in answers.places.values() for name in place.runtimes)]
    for name in dict.fromkeys(about):
        if name and name not in services:
            hint = near(name, services)
            remedy = f"Write `{hint}`." if hint else f"Name one of: {', '.join(services)}."
            yield Finding("init", "the answers", f"{shown(name)} is no service here", remedy)


def _not_on_github(files: Files, answers: Answers) -> Iterator[Finding]:
    if answers.github and not _REPOSITORY.fullmatch(answers.github):
        what = f"{shown(answers.github)} is no repository on GitHub"
        yield Finding("init", "the answers", what, "Write `owner/name`.")
    if answers.app and not _APP.fullmatch(answers.app):
        what = f"{shown(answers.app)} is no number of a GitHub App"
        yield Finding("init", "the answers", what, f"Copy the App ID from its settings, or write `{_NO_APP}`.")
    elif answers.app:
        try:
            _passed_by(files.get(protection.MAIN, _RULES[protection.MAIN]), answers.app)
        except ValueError as error:
            yield Finding("init", protection.MAIN, str(error), "Correct it, or delete it: it is then written anew.")


def _may_not_be_renamed(names: _Names, releases: Mapping[str, Release]) -> Iterator[Finding]:
    """A service that exists in AWS is called what it is called: another name would be another service."""
    for old, new in names.renamed.items():
        there = [name for name, release in releases.items() if release.program and old in release.services]
        if there:
            yield Finding(
                "init", target.release_path(there[0]),
                f"{shown(old)} exists in {' and '.join(there)} already, so it cannot become {shown(new)}",
                f"Keep it and name both, --service {old} --service {new}; or first run `releasectl teardown "
                f"{there[0]}`.",
            )  # fmt: skip


def _may_not_move(files: Files, answers: Answers, releases: Mapping[str, Release]) -> Iterator[Finding]:
    """What was made in an account, a region, a runtime would be left behind there."""
    for environment, place in answers.places.items():
        release = releases.get(environment)
        if release is None or not release.program:
            continue
        path = target.settings_path(environment)
        config = settings_of(files[path], environment)
        region, accounts = str(config.get(REGION[1], "")), texts(config.get(ACCOUNT[1]))
        for what, is_other, now in (
            ("region", place.region not in ("", region), region),
            ("account", bool(place.account and accounts) and accounts != [place.account], ", ".join(accounts)),
        ):
            if is_other:
                yield Finding(
                    "init", path, f"{environment} exists in {what} {now}, and would be left behind there",
                    f"Run `releasectl teardown {environment}` first, or name another environment.",
                )  # fmt: skip
        yield from _may_not_run_elsewhere(path, config, place, release)


def _may_not_run_elsewhere(
    path: str, config: Mapping[str, object], place: Place, release: Release
) -> Iterator[Finding]:
    for name, held in services_of(config).items():
        now, asked = str(held.get("runtime", "")), _runtime(place, name)
        if asked and asked != now and name in release.services and release.services[name].digest:
            yield Finding(
                "init", path, f"{shown(name)} serves on {now}, and its address would change with the runtime",
                f"Move it by hand: write `runtime: {asked}` and `leaving: {now}`, so that both run until you are done.",
            )  # fmt: skip


def _edit_pipeline(files: dict[str, bytes], names: _Names, answers: Answers, pipeline: Pipeline) -> None:
    path, known = target.PIPELINE, tuple(pipeline.services)
    raw = _renamed(path, files[path], ("services",), names)
    first = pipeline.services[known[0]]
    for name in names.added:
        raw = put(path, raw, ("services", name), {"repository": first.repository, "path": first.path})
    for name in names.now(known):
        repository = answers.repositories.get(name, answers.repositories.get("", ""))
        if repository:
            raw = put(path, raw, ("services", name, "repository"), repository)
    files[path] = raw


def _edit_github(files: dict[str, bytes], names: _Names, answers: Answers) -> None:
    """Who reviews, whose preview is called, what is built, and how main is protected."""
    for path in codeowners.PATHS:
        if path in files and answers.owners:
            files[path] = codeowners.owned_by(files[path], answers.owners)
    for path in own_workflows.BUILDING:
        if path in files:
            files[path] = own_workflows.building(files[path], names.renamed)
    if answers.github and own_workflows.REVIEW in files:
        files[own_workflows.REVIEW] = own_workflows.reviewed_by(files[own_workflows.REVIEW], answers.github)
    if answers.github or answers.app:
        files |= {path: raw for path, raw in _RULES.items() if path not in files}
    if answers.app:
        files[protection.MAIN] = _passed_by(files[protection.MAIN], answers.app)


def _passed_by(raw: bytes, number: str) -> bytes:
    """Raises ValueError."""
    return protection.let_pass(raw, *([] if number == _NO_APP else [protection.app(number)]))


def _edit_release(files: dict[str, bytes], environment: str, names: _Names) -> None:
    path = target.release_path(environment)
    raw = _renamed(path, files[path], ("services",), names, every_scalar_is_text=True)
    for name in names.added:
        raw = put(path, raw, ("services", name), UNPINNED, every_scalar_is_text=True)
    files[path] = raw


def _edit_settings(files: dict[str, bytes], environment: str, names: _Names, place: Place) -> None:
    path = target.settings_path(environment)
    raw = _renamed(path, files[path], SERVICES, names)
    known = services_of(settings_of(raw, environment))
    model: Mapping[str, Any] = next(iter(known.values()), {})
    for name in names.added:
        raw = put(path, raw, (*SERVICES, name), {key: model[key] for key in COPIED if key in model})
    for key, value in _wanted(place):
        raw = put(path, raw, key, value)
    for name in (*known, *names.added):
        if runtime := _runtime(place, name):
            scaling = known.get(name, model).get("scaling")
            raw = _runs_on(path, raw, (*SERVICES, name), scaling, runtime=runtime)
    files[path] = raw


def _wanted(place: Place) -> Iterator[tuple[tuple[str, ...], Value]]:
    """What the answers about an environment say of its settings, key by key."""
    told: tuple[tuple[tuple[str, ...], Value], ...] = (
        (REGION, place.region),
        (ACCOUNT, [place.account] if place.account else []),
        ((*ALERTS, "email"), list(place.emails)),
        ((*ALERTS, "sms"), list(place.sms)),
        ((*NETWORK, "vpc"), place.vpc),
        ((*NETWORK, "subnets"), list(place.subnets)),
    )
    yield from ((key, value) for key, value in told if value)
    if place.public_addresses is not None:
        yield (*NETWORK, "public_addresses"), place.public_addresses


def _runs_on(path: str, raw: bytes, service: tuple[str, ...], scaling: object, *, runtime: str) -> bytes:
    """Another runtime, and the one key of `scaling` that App Runner and ECS do not share."""
    raw = put(path, raw, (*service, "runtime"), runtime)
    key, begin = SCALES_BY[runtime == APP_RUNNER]
    other, _ = SCALES_BY[runtime != APP_RUNNER]
    if isinstance(scaling, dict) and other in scaling:
        raw = rename(path, raw, (*service, "scaling", other), key)
        raw = put(path, raw, (*service, "scaling", key), begin)
    return raw


def _renamed(
    path: str, raw: bytes, key: tuple[str, ...], names: _Names, *, every_scalar_is_text: bool = False
) -> bytes:  # fmt: skip
    for old, new in names.renamed.items():
        raw = rename(path, raw, (*key, old), new, every_scalar_is_text=every_scalar_is_text)
    return raw


def _runtime(place: Place, service: str) -> str:
    return place.runtimes.get(service, place.runtimes.get("", ""))
