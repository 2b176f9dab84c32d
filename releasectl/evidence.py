"""Evidence: gathers what the gates look at, and decides nothing.

Comes in: a target, the environment's history, the world. Goes out: Evidence, first without a plan, then with one.
Everything is read once for one pass, at one commit and with one `now`, so that two gates cannot disagree about the
same fact.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from releasectl import plan
from releasectl.admission import Evidence, stays
from releasectl.drift import DIGEST
from releasectl.errors import Finding
from releasectl.image_facts import ImageFacts
from releasectl.outputs import Outputs
from releasectl.outputs import read as read_outputs
from releasectl.pipeline import (
    Hold,
    Override,
    Rejection,
    hold_path,
    override_path,
    parse_hold,
    parse_override,
    parse_rejection,
    rejection_path,
)
from releasectl.record import Deployment, Kind, Phase, UnreadableRecord
from releasectl.release import Pin
from releasectl.target import Reader, Target, release_path
from releasectl.world import Desired, World

PASSABLE = ("hold", "freeze", "soak", "vulnerabilities")
LOOK_BACK = 200  # deployments of an environment: what was proven before them has to be proven again


@dataclass(frozen=True)
class Copy:
    """An image that the environment's own repository does not have yet, and where it is."""

    service: str
    digest: str
    source_region: str
    source: str


def before_plan(wanted: Target, history: tuple[Deployment, ...], world: World, *, base: str) -> Evidence:
    """What needs no engine: holds, freezes, rejections, the soak. `history` is the environment's, newest first.

    `base` is the tip of main: holds, rejections and overrides count as they stand there, also for a proposal.
    """
    now = world.clock.now()
    changed = changed_pins(wanted, newest_live(history))
    rejections = _rejections(wanted, base, world.desired)
    previous = wanted.pipeline.previous(wanted.environment)
    elsewhere, untold = _history(previous.name, world) if previous and changed else ((), "")
    return Evidence(
        environment=wanted.environment,
        kind=kind_of(wanted, history, rejections),
        identity=wanted.identity,
        now=now,
        changed=changed,
        rejections=rejections,
        services=tuple(wanted.release.services),
        hold=_hold(wanted, base, world.desired),
        frozen=wanted.policy.frozen(now),
        previous=previous.name if previous else "",
        soak=wanted.policy.soak,
        stays={name: stays(elsewhere, name, pin.digest) for name, pin in changed.items()},
        untold=untold,
        demanded=wanted.policy.gates,
        unsettled=next((one for one in history[:1] if not one.phase.is_over), None),
        overrides=tuple(_overrides(wanted, base, world.desired)),
    )


def _history(previous: str, world: World) -> tuple[tuple[Deployment, ...], str]:
    """The previous environment's deployments, or why they cannot be read: a rollback does not need them."""
    try:
        return world.records.history(previous, LOOK_BACK), ""
    except UnreadableRecord as error:
        return (), error.message


def with_plan(
    early: Evidence, wanted: Target, planned: plan.Plan, *, applied: Deployment | None, world: World
) -> tuple[Evidence, tuple[Copy, ...]]:
    """The rest, once the engine said what would change; and the images that have to be copied first."""
    outputs = read_outputs(planned.outputs)
    asked = ((name, pin) for name, pin in _released(wanted) if not _comes_back(name, early.kind, planned, outputs))
    found = tuple(_find(name, pin, wanted, outputs=outputs, world=world) for name, pin in asked)
    copies = tuple(one for one in found if isinstance(one, Copy))
    missing = tuple(one for one in found if isinstance(one, Finding))
    evidence = replace(
        early,
        unreadable=missing,
        outside=(*emptied(wanted, applied), *_outside(early.kind, wanted, planned, outputs=outputs, applied=applied)),
        images=_facts(early, outputs, {copy.service: copy for copy in copies}, world) if not missing else {},
    )
    return evidence, copies


def newest_applied(history: tuple[Deployment, ...]) -> Deployment | None:
    """The newest deployment that changed anything: a refused one must not open the door for the next."""
    return next((one for one in history if one.phase is not Phase.REFUSED), None)


def newest_live(history: tuple[Deployment, ...]) -> Deployment | None:
    """The last good one."""
    return next((one for one in history if one.phase is Phase.LIVE), None)


def changed_pins(wanted: Target, good: Deployment | None) -> dict[str, Pin]:
    """Services whose digest is another than in the last good deployment: what has to be admitted anew."""
    before = good.services if good else {}
    return {name: pin for name, pin in _released(wanted) if name not in before or before[name].digest != pin.digest}


def kind_of(wanted: Target, history: tuple[Deployment, ...], rejections: Mapping[str, Rejection]) -> Kind:
    """What kind of change `wanted` is, judged by what it pins: a commit's own words prove nothing."""
    release, settings = wanted.release, wanted.settings_identity
    if _is_cut_short(history, wanted):
        return Kind.DRIFT_FIX
    digests = {name: pin.digest for name, pin in release.services.items()}
    applied = [one for one in history if one.phase is not Phase.REFUSED]
    for one in applied:  # further tries of the same, back to the one that was proven
        if (_digests(one), one.program, one.settings) != (digests, release.program, settings):
            break
        if one.phase is Phase.LIVE:
            restarted = any(release.services[name].restart != pin.restart for name, pin in one.services.items())
            return Kind.RESTART if restarted else one.kind
    # New settings are a change, whatever they go with; those of today may stay when digests go back.
    kept = applied[0].settings if applied and _digests(applied[0]) != digests else None
    was_live = any(
        one.phase is Phase.LIVE
        and (_digests(one), one.program) == (digests, release.program)
        and settings in (one.settings, kept)
        for one in applied
    )
    rejected = any(rejection.digest in digests.values() for rejection in rejections.values())
    return Kind.ROLLBACK if was_live and not rejected else Kind.CHANGE


def _is_cut_short(history: tuple[Deployment, ...], wanted: Target) -> bool:
    """Is the newest deployment a drift fix of this very release that never came to a verdict? It is tried again."""
    unproven = (Phase.APPLYING, Phase.VERIFYING, Phase.ERRORED)
    fixes = (one for one in history[:1] if one.kind is Kind.DRIFT_FIX and one.phase in unproven)
    return any(one.identity == wanted.identity for one in fixes)


def emptied(wanted: Target, applied: Deployment | None) -> Iterator[Finding]:
    """A service that was released is not taken away by an edit: that would delete its address and its images."""
    for name, pin in (applied.services if applied else {}).items():
        kept = wanted.release.services.get(name)
        if pin.digest and (kept is None or not kept.digest):
            yield Finding(
                "not-emptied",
                f"{release_path(wanted.environment)} services.{name}",
                "this service is released, and the file no longer pins a digest for it",
                "Pin its digest again; `releasectl teardown` takes an environment away.",
            )


def _outside(
    kind: Kind, wanted: Target, planned: plan.Plan, *, outputs: Outputs, applied: Deployment | None
) -> tuple[Finding, ...]:
    if kind is Kind.DRIFT_FIX:
        return plan.beyond_repair(planned, outputs.drift.replaceable)
    only_digests = (
        applied is not None
        and applied.phase is Phase.LIVE
        and (applied.program, applied.settings) == (wanted.release.program, wanted.settings_identity)
    )
    return plan.outside(planned, outputs.shape) if only_digests else ()


def _comes_back(name: str, kind: Kind, planned: plan.Plan, outputs: Outputs) -> bool:
    """Does a drift fix make the registry of a service anew, that still runs? Its images are gone; it needs none now."""
    is_gone = name in outputs.services and not outputs.services[name].repository
    runtimes = {watched.type for watched in outputs.drift.release if watched.what == DIGEST}
    made = any(one.operation == "create" and one.type in runtimes and one.name == name for one in planned.changes)
    return kind is Kind.DRIFT_FIX and is_gone and not made


def _find(name: str, pin: Pin, wanted: Target, *, outputs: Outputs, world: World) -> Copy | Finding | None:
    """Where a digest is: here (None), in the previous environment's repository, or nowhere."""
    own = outputs.services[name].repository if name in outputs.services else ""
    if own and world.registry.images(outputs.region, own, pin.digest):
        return None
    source = _previous_repository(name, wanted, world) if own else None
    if source and world.registry.images(source[0], source[1], pin.digest):
        return Copy(name, pin.digest, *source)
    places = own or "a repository that is yet to be made"
    return Finding(
        "digest-readable",
        f"{release_path(wanted.environment)} services.{name}.digest",
        f"no image {pin.digest} in {places}{f' nor in {source[1]}' if source else ''}",
        "Push the image to that repository, or pin a digest that is there.",
    )


def _previous_repository(name: str, wanted: Target, world: World) -> tuple[str, str] | None:
    """Region and repository of a service in the environment from which this one promotes."""
    previous = wanted.pipeline.previous(wanted.environment)
    if previous is None:
        return None
    for deployment in world.records.history(previous.name, 1):
        outputs = read_outputs(deployment.outputs) if deployment.outputs else None
        if outputs and name in outputs.services:
            return outputs.region, outputs.services[name].repository
    return None


def _facts(
    early: Evidence, outputs: Outputs, copies: Mapping[str, Copy], world: World
) -> dict[str, ImageFacts]:  # fmt: skip
    """Only for gates that the pipeline switches on: each is a handful of calls."""
    if not early.demanded:
        return {}
    facts = {}
    for name, pin in early.changed.items():
        copy = copies.get(name)
        region = copy.source_region if copy else outputs.region
        repository = copy.source if copy else outputs.services[name].repository
        facts[name] = world.registry.facts(region, repository, pin.digest)
    return facts


def _hold(wanted: Target, base: str, desired: Reader) -> Hold | None:
    path = hold_path(wanted.environment)
    raw = desired.read(base, path)
    return parse_hold(path, raw) if raw is not None else None


def _overrides(wanted: Target, base: str, desired: Reader) -> Iterator[Override]:
    for gate in PASSABLE:
        path = override_path(wanted.environment, gate)
        raw = desired.read(base, path)
        if raw is not None:
            yield parse_override(path, raw)


def _rejections(wanted: Target, base: str, desired: Desired) -> dict[str, Rejection]:
    """By path, of this environment and of every earlier one on the way to it."""
    found = {}
    environments = list(_lane(wanted))
    for path in desired.list(base, "releases/rejected"):
        raw = desired.read(base, path)
        if raw is None or not path.endswith(".yaml"):
            continue
        rejection = parse_rejection(path, raw)
        # A name cannot be taken apart (environments may hold dashes), so the whole path is compared.
        if any(
            path == rejection_path(each, name, rejection.digest)
            for each in environments
            for name in wanted.release.services
        ):
            found[path] = rejection
    return found


def _lane(wanted: Target) -> Iterator[str]:
    """This environment and those before it."""
    here = wanted.policy
    yield here.name
    while here.promotes_from:
        here = wanted.pipeline.environment(here.promotes_from)
        yield here.name


def _released(wanted: Target) -> Iterator[tuple[str, Pin]]:
    return ((name, pin) for name, pin in wanted.release.services.items() if pin.digest)


def _digests(deployment: Deployment) -> dict[str, str]:
    return {name: pin.digest for name, pin in deployment.services.items()}
