"""Preview: everything that a proposal would do to an environment, before anybody merges it.

Comes in: a target (of the work tree or of a commit) and the world. Goes out: a Preview: the plan, what every gate
says, the commits that the proposal brings. It is what the check of a pull request shows; it changes nothing.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from releasectl import deploy, evidence
from releasectl.admission import Admission, No, admit
from releasectl.errors import InvalidFile
from releasectl.evidence import LOOK_BACK, Copy, newest_applied, newest_live
from releasectl.moves import addresses, moves
from releasectl.outputs import read as read_outputs
from releasectl.plan import Change, Plan
from releasectl.record import Deployment
from releasectl.release import Release, parse_release
from releasectl.release_notes import Notes, notes
from releasectl.target import Target, release_path
from releasectl.world import World


@dataclass(frozen=True)
class Preview:
    """`identity` is the release's, `base` the tip of main that it was compared with."""

    environment: str
    identity: str
    base: str
    plan: Plan
    admission: Admission
    copies: tuple[Copy, ...]
    notes: tuple[Notes, ...]
    moves: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people must not overlook, in plain words, the worst first; before all a move to another runtime."""
        return (*self.moves, *_warnings(self.plan))

    @property
    def exit_code(self) -> int:
        """1 if it would be refused. Waiting is no reason against a merge."""
        return 1 if self.admission.refused else 0


def preview(wanted: Target, world: World, *, folder: Path, approved: str = "") -> Preview:
    """What `wanted`, which has a program, would do. `folder` does not exist yet. Raises what the engine raises.

    A program runs only if it is on main, or is the one commit that somebody `approved` for this.
    """
    tip = world.desired.fetch()
    if wanted.release.program != approved:
        deploy.check_program(wanted, world)
    history = world.records.history(wanted.environment, LOOK_BACK)
    early = evidence.before_plan(wanted, history, world, base=tip)
    planned = deploy.preview(wanted, world, folder=folder)
    known, copies = evidence.with_plan(early, wanted, planned, applied=newest_applied(history), world=world)
    told = notes(_on_main(wanted, tip, world), wanted.release, wanted.pipeline.services, world.desired.commits)
    admission = admit(known, planned=True)
    moved = _moves(newest_live(history), planned)
    return Preview(wanted.environment, wanted.identity, tip, planned, admission, copies, told, moved)


def _moves(live: Deployment | None, planned: Plan) -> tuple[str, ...]:
    if live is None or not live.outputs:
        return ()
    return moves(read_outputs(live.outputs), read_outputs(planned.outputs), planned)


def _on_main(wanted: Target, tip: str, world: World) -> Release:
    """The release as main has it; nothing, where the file is new there or the proposal is what mends it."""
    path = release_path(wanted.environment)
    raw = world.desired.read(tip, path)
    try:
        return parse_release(path, raw) if raw is not None else Release("1", "", {})
    except InvalidFile:
        return Release("1", "", {})


def _warnings(plan: Plan) -> Iterator[str]:
    for operation, words in (
        ("replace", "is deleted and made anew"),
        ("delete", "is deleted"),
    ):
        for change in plan.changes:
            if operation in plan.word(change):
                yield f"{_named(change)} {words}{_because(change)}{addresses(plan, change)}"
    for change in plan.changes:
        if change.unprotects:
            yield f"{_named(change)} is no longer protected: a later release could delete it"


def _named(change: Change) -> str:
    return f"{change.type} {change.name}"


def _because(change: Change) -> str:
    paths = [prop.path for prop in change.properties if "replace" in prop.kind]
    return f", because {', '.join(paths)} cannot be changed in place" if paths else ""


def as_json(seen: Preview) -> dict[str, object]:
    """{environment, release, base, identity, counts, moves, warnings, changes, gates, copies, notes}."""
    return {
        "environment": seen.environment,
        "release": seen.identity,
        "base": seen.base,
        "identity": seen.plan.identity,
        "counts": seen.plan.counts,
        "moves": seen.moves,
        "warnings": seen.warnings,
        "changes": [asdict(change) | {"name": change.name} for change in seen.plan.changes],
        "gates": [gate_as_json(no) for no in seen.admission.nos],
        "copies": [asdict(copy) for copy in seen.copies],
        "notes": [asdict(one) for one in seen.notes],
    }


def gate_as_json(no: No) -> dict[str, object]:
    """{answer, rule, where, message, remedy, until}."""
    return {"answer": no.answer, **asdict(no.finding), "until": no.until.isoformat() if no.until else None}
