"""Judges a story that was played. Pure.

Comes in: Played. Goes out: a Verdict: live or stalled, and everything that breaks the claim. The claim:

- It comes to rest: `releasectl reconcile` says `rest` or `stall` within six runs, none of which hangs. At rest, main
  pins what the story expects, App Runner's own newest word is that digest, and the service itself names it. A stall
  is allowed when weather struck, and only if its reason has that weather's own words; asked again in fair weather it
  has to become live. Within an outage a run may end in an error with the outage's words; after it the next rests.
- Every record is over. The branch only grew: no commit changed or removed a line that was there. A deployment that
  anybody named or whose engine began to apply is on record. Never are two deployments of the environment open.
- No lock, no pending operation, no process is left; what exists in the cloud is what the state holds.
- No update twice: for one release, App Runner accepts at most one change for each attempt whose engine's result was
  never recorded (it may have been cut off after App Runner's yes and before the checkpoint), and one for the first
  attempt whose result was. After a recorded result, a further attempt of the same release changes nothing.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from releasectl import record
from releasectl.record import Deployment, Phase, UnreadableRecord
from tests.chaos.picture import Growth, Picture
from tests.chaos.play import Played
from tests.chaos.story import Full, Http, Push, Weather

# Named as a deployment: not in the path of a work folder, not where the record went to somebody else.
_NAMED = re.compile(r"(?<!recording )\bdeployment (\d{8}T\d{6}Z-[0-9a-f]{6})\b")
_UPDATES = ("CreateService", "UpdateService", "StartDeployment")
# Words that name the cause, one list for each kind of weather.
_CAUSES = {
    "cut": ("Could not connect", "Connection was closed", "onnection reset", "EOF", "no answer"),
    "throttled": ("Throttl", "Rate exceeded"),
    "broken": ("ServiceUnavailable", "Service Unavailable", "503"),
    "slow": ("timed out", "Read timeout", "no answer"),
    "lost": ("Could not connect", "Connection was closed", "onnection reset", "EOF", "InvalidState", "already exists"),
    "push": ("the campaign refuses this push", "remote rejected", "hung up"),
    "full": ("o space left", "disk"),
}


@dataclass(frozen=True)
class Verdict:
    """`outcome` is live, stalled or broken; `problems` is what breaks the claim."""

    outcome: str
    problems: tuple[str, ...]


def judge(played: Played) -> Verdict:
    """Every claim, held against what is there."""
    read, unreadable = _read(played)
    new = [one for path, one in sorted(read.items()) if path not in played.before.records]
    problems = [
        *(f"hangs: {each}" for each in played.hung),
        *unreadable,
        *_outage(played),
        *_rest(played),
        *_records(played, read),
        *_left(played.after),
        *_cloud(played.after),
        *_updates(played, new),
    ]
    if problems:
        return Verdict("broken", tuple(problems))
    return Verdict("stalled" if played.passes[-1].action == "stall" else "live", ())


def _read(played: Played) -> tuple[dict[str, Deployment], list[str]]:
    """Every record, and those that cannot be read."""
    read: dict[str, Deployment] = {}
    unreadable = []
    for path, raw in played.after.records.items():
        try:
            read[path] = record.read(path, raw)
        except UnreadableRecord as error:
            unreadable.append(error.message)
    return read, unreadable


def _outage(played: Played) -> Iterator[str]:
    for each in played.helpless:
        if each.action != "rest" and not is_named(played.story.weather, each.reason):
            yield f"says within an outage: {each.action}: {each.reason}"


def _rest(played: Played) -> Iterator[str]:
    last = played.passes[-1]
    if last.action == "stall":
        if not is_named(played.story.weather, last.reason):
            yield f"stalled, and its reason names no fault that was injected: {last.reason}"
        last = played.healed or last
    if last.action != "rest":
        yield f"does not rest: {last.action or last.code}: {last.reason}"
    after, expected = played.after, played.expected
    if after.digest != expected.digest:
        yield f"main pins {after.digest[:19]} instead of {expected.digest[:19]}"
    if after.program != expected.program:
        yield f"main pins program {after.program[:12]} instead of {expected.program[:12]}"
    if expected.rejected and expected.rejected not in after.rejected:
        yield f"{expected.rejected[:19]} failed and is not rejected"
    if expected.digest in after.rejected:
        yield f"{expected.digest[:19]} is good and rejected"
    runs = [(each.status, each.digest, each.answers) for each in after.services]
    if runs != [("RUNNING", expected.digest, expected.digest)]:
        yield f"App Runner does not run {expected.digest[:19]}: {runs}"


def is_named(weather: Weather | None, reason: str) -> bool:
    """Does a reason name the weather that was made?"""
    kind = weather.kind if isinstance(weather, Http) else ""
    kind = "push" if isinstance(weather, Push) else "full" if isinstance(weather, Full) else kind
    return any(word in reason for word in _CAUSES.get(kind, ()))


def _records(played: Played, read: dict[str, Deployment]) -> Iterator[str]:
    if not played.continues:
        yield "the branch deployments was rewritten"
    for each in played.growth:
        if each.how not in "AM" or not each.after.startswith(each.before):
            yield f"the record {each.path} did not only grow"
    for path, raw in played.before.records.items():
        if not played.after.records.get(path, b"").startswith(raw):
            yield f"the record {path} lost what it had"
    for path, one in sorted(read.items()):
        if not one.phase.is_over:
            yield f"the record {path} was left {one.phase}"
    known = {one.id for one in read.values()}
    for identifier in sorted({*_NAMED.findall(played.said), *played.began_up} - known):
        yield f"deployment {identifier} was begun and is not on record"
    yield from _overlaps(played)


def _overlaps(played: Played) -> Iterator[str]:
    """Two deployments that were open at once."""
    going_on: set[str] = set()
    for each in played.growth:
        if _is_over(each):
            going_on.discard(each.path)
        else:
            going_on.add(each.path)
        if len(going_on) > 1:
            yield f"open at once: {', '.join(sorted(going_on))}"


def _is_over(growth: Growth) -> bool:
    try:
        return record.read(growth.path, growth.after).phase.is_over
    except UnreadableRecord:
        return True  # told already


def _left(after: Picture) -> Iterator[str]:
    if after.unreadable:
        yield f"the state cannot be read: {after.unreadable}"
    yield from (f"a lock is left: {each}" for each in after.locks)
    yield from (f"an operation is left pending: {each}" for each in after.pending)
    yield from (f"a process is left: {each}" for each in after.processes)


def _cloud(after: Picture) -> Iterator[str]:
    yield from (f"not in the state: {kind} {name}" for kind, name in sorted(after.cloud - after.state))
    yield from (f"not in the cloud: {kind} {name}" for kind, name in sorted(after.state - after.cloud))


def _updates(played: Played, new: list[Deployment]) -> Iterator[str]:
    """Attempts and App Runner's changes, by what the release pins: digest and restart."""
    made = Counter(_pins(json.loads(each.body)) for each in played.asked if each.operation in _UPDATES)
    for pins, count in made.items():
        attempts = [one for one in new if (one.services["web"].digest, one.services["web"].restart) == pins]
        unknown = [one for one in attempts if Phase.VERIFYING not in {moment.phase for moment in one.phases}]
        allowed = len(unknown) + (len(unknown) < len(attempts))
        if count > allowed:
            yield f"{count} updates of {pins[0][:19]} {pins[1]} for {allowed} attempts that may have needed one"
    before = {name for each in played.before.services for name, _ in each.operations}
    told = [kind for each in played.after.services for name, kind in each.operations if name not in before]
    if len(told) != sum(made.values()):
        yield f"App Runner tells {len(told)} operations, and {sum(made.values())} were asked for"


def _pins(asked: dict[str, object]) -> tuple[str, str]:
    """Digest and restart of a request; the variables are ours, so they are there."""
    text = json.dumps(asked)
    found = {name: re.search(rf'"{name}": "([^"]*)"', text) for name in ("RELEASE_DIGEST", "RELEASE_RESTART")}
    digest, restart = (match.group(1) if match else "" for match in found.values())
    return digest, restart


def attempts(played: Played) -> int:
    """Deployments that the story needed."""
    return len(set(played.after.records) - set(played.before.records))
