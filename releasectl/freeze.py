"""Freeze windows: the times in which nothing is applied.

Comes in: a window as `pipeline.yaml` writes it and a moment. Goes out: whether the window is in force then, and
until when. All arithmetic is on wall-clock time in the window's IANA zone, so a freeze on Friday at 16:00 stays
there when the clocks change. Knows nothing of releases or overrides.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, Field, WithJsonSchema

from releasectl.document import Path, near, shown, wrong

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOUR = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = near(text, available_timezones())
        asked = f"; did you mean `{hint}`?" if hint else ""
        remedy = "Write an IANA zone such as `Europe/Berlin` or `UTC`."
        raise wrong(f"is {shown(text)}, which is no time zone{asked}", remedy) from None
    return text


@dataclass(frozen=True)
class Freeze:
    """A window in which nothing is applied.

    With `days`, every week: `start` and `end` are hours such as "16:00", `end` may be "24:00", and a window whose
    end is not after its start lasts into the next day. Without `days`, once: `start` and `end` are the first and
    the last frozen date, such as "2026-12-20".
    """

    start: str
    end: str
    zone: Annotated[str, AfterValidator(_zone), WithJsonSchema({"type": "string", "minLength": 1})]
    reason: Annotated[str, Field(min_length=1)]
    days: tuple[Day, ...] = ()

    def until(self, now: datetime) -> datetime | None:
        """The end, in UTC, of the window that the aware `now` is in; None outside."""
        ends = [end for start, end in self._around(now) if start <= now.astimezone(UTC) < end]
        return max(ends, default=None)

    def _around(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Start and end, in UTC, of the occurrences that may hold `now`: comparing in UTC sees clock changes."""
        if not self.days:
            yield self._utc(self.start, "00:00"), self._utc(self.end, "24:00", fold=1)
            return
        today = now.astimezone(ZoneInfo(self.zone)).date()
        for day in (today - timedelta(days=1), today):
            if _DAYS[day.weekday()] in self.days:
                last = day if self.end > self.start else day + timedelta(days=1)
                yield self._utc(day.isoformat(), self.start), self._utc(last.isoformat(), self.end, fold=1)

    def _utc(self, day: str, hour: str, *, fold: int = 0) -> datetime:
        """A wall-clock time of the zone; `fold` picks the second of two when the clocks go back."""
        midnight = datetime.combine(date.fromisoformat(day), time(), tzinfo=ZoneInfo(self.zone))
        if hour == "24:00":
            return (midnight + timedelta(days=1)).astimezone(UTC)
        return midnight.replace(hour=int(hour[:2]), minute=int(hour[3:]), fold=fold).astimezone(UTC)


def misfits(window: Any, path: Path) -> Iterator[tuple[Path, str, str]]:
    """What does not fit together in a window of plain data: hours go with `days`, dates without them."""
    if not isinstance(window, dict):
        return
    weekly = "days" in window
    remedy = 'Write an hour such as "16:00".' if weekly else "Write a date such as 2026-12-20, or add `days`."
    wrong_bounds = False
    for key in ("start", "end"):
        text = window.get(key)
        if isinstance(text, str) and not (_is_hour(text, key) if weekly else _is_date(text)):
            wrong_bounds = True
            what = "hour of a day" if weekly else "date"
            yield (*path, key), f"`{key}` is {shown(text)}, which is no {what}", remedy
    start, end = window.get("start"), window.get("end")
    if wrong_bounds or not isinstance(start, str) or not isinstance(end, str):
        return
    if weekly and start == end:
        yield (*path, "end"), "`end` is the same as `start`", 'Write "00:00" and "24:00" for a whole day.'
    if not weekly and end < start:
        yield (*path, "end"), "`end` lies before `start`", "Swap the two dates."


def _is_hour(text: str, key: str) -> bool:
    return bool(_HOUR.fullmatch(text)) and not (key == "start" and text == "24:00")


def _is_date(text: str) -> bool:
    try:
        # The last day of year 9999 has no day after it.
        return bool(_DATE.fullmatch(text)) and 1 < date.fromisoformat(text).year < 9999
    except ValueError:
        return False
