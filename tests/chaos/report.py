"""Says how a campaign went: a line for each story while it goes on, counts by fault at the end, JSON for machines.

Comes in: stories as they ended. Goes out: text or data. The claim is judged here as a whole: everything at rest, at
least 95 of 100 live with the right digest. It decides nothing about one story.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.chaos.story import Story

LIVE = 0.95  # of all stories


@dataclass(frozen=True)
class Told:
    """One story as it ended; `struck` are the names of the faults that did, `kept` where a broken one lies."""

    story: Story
    outcome: str  # live, stalled, broken
    problems: tuple[str, ...]
    struck: tuple[str, ...]
    missed: tuple[str, ...]
    detail: str
    rival: bool
    attempts: int
    passes: int
    seconds: float
    kept: Path | None = None

    @property
    def killed(self) -> bool:
        """Did its kill strike?"""
        return bool(self.story.kill) and self.story.kill is not None and self.story.kill.name in self.struck


@dataclass(frozen=True)
class Campaign:
    """All stories of one campaign."""

    seed: int
    wanted: int  # kills
    stories: tuple[Told, ...]
    seconds: float
    is_cut_short: bool = False  # by a person

    @property
    def kills(self) -> int:
        """Kills that struck."""
        return sum(each.killed for each in self.stories)

    @property
    def live(self) -> int:
        """Stories that ended live."""
        return sum(each.outcome == "live" for each in self.stories)

    @property
    def holds(self) -> bool:
        """Does the claim hold?"""
        rested = all(each.outcome != "broken" for each in self.stories)
        return bool(self.stories) and rested and self.live >= LIVE * len(self.stories) and self.kills >= self.wanted


def line(told: Told) -> str:
    """One story, on one line, and what is wrong with it below."""
    faults = "; ".join(told.struck) or "no fault struck"
    missed = f"; missed: {', '.join(told.missed)}" if told.missed else ""
    rival = " with a rival" if told.rival else ""
    head = (
        f"{told.story.seed:>8}  {told.outcome:<7} {told.seconds:>5.1f} s  {told.story.change}{rival}: {faults}{missed}"
    )
    return "\n".join([head, *(f"          {problem}" for problem in told.problems)])


def how_to_look(told: Told) -> str:
    """What a person does with a story that broke the claim."""
    return (
        f"          look: ls {told.kept}/runs/{told.story.seed}; git -C {told.kept}/remote.git log -p deployments\n"
        f"          again: make chaos SEED={told.story.seed} KILLS=1"
    )


def table(campaign: Campaign) -> str:
    """Counts by fault and outcome."""
    counts: Counter[tuple[str, str]] = Counter()
    for each in campaign.stories:
        for fault in each.struck or ("none struck",):
            counts[fault, each.outcome] += 1
    faults = sorted({fault for fault, _ in counts})
    outcomes = ("live", "stalled", "broken")
    width = max([len(fault) for fault in faults], default=5)
    rows = [f"{'fault':<{width}}  " + "  ".join(f"{name:>7}" for name in outcomes)]
    rows += [f"{fault:<{width}}  " + "  ".join(f"{counts[fault, name]:>7}" for name in outcomes) for fault in faults]
    skipped = Counter(name for each in campaign.stories for name in each.missed)
    rows += [f"did not strike: {name} ({count})" for name, count in sorted(skipped.items())]
    return "\n".join([*rows, "", summary(campaign)])


def summary(campaign: Campaign) -> str:
    """The figure."""
    total = len(campaign.stories)
    rested = sum(each.outcome != "broken" for each in campaign.stories)
    stalled = rested - campaign.live
    return (
        f"seed {campaign.seed}: {campaign.kills} kills in {total} stories, {rested} at rest as claimed, "
        f"{campaign.live} live, {stalled} stalled by name, {total - rested} broken; {campaign.seconds:.0f} s: "
        f"the claim {'holds' if campaign.holds else 'DOES NOT HOLD'}"
    )


def as_json(campaign: Campaign) -> dict[str, object]:
    """{seed, kills, holds, live, seconds, stories: [...]}."""
    stories = [asdict(each) | {"faults": each.story.faults, "kept": str(each.kept or "")} for each in campaign.stories]
    return {
        "seed": campaign.seed,
        "kills": campaign.kills,
        "holds": campaign.holds,
        "live": campaign.live,
        "seconds": round(campaign.seconds, 1),
        "stories": stories,
    }
