"""Freeze windows: times in which no weight is raised. Falling is always allowed. The clock is passed in.

A window is either between two dates (`2026-12-20`, or `2026-12-20 18:00`), or weekly (`Fri 18:00` to `Mon 08:00`), in a time
zone of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Freeze:
    """One window.

    Attributes:
        start: its beginning, a date or a day of the week, with or without a time (default 00:00).
        end: its end; a date or day without a time is frozen as a whole.
        timezone: IANA name of the time zone.
        reason: why.
    """

    start: str
    end: str
    timezone: str
    reason: str

    def holds(self, now: datetime) -> bool:
        """Whether `now` (aware) is inside."""
        region = zone(self.timezone)
        if not is_weekly(self.start):
            return _within(now, _date(self.start), _date(self.end, end=True), region)
        here = now.astimezone(region)
        monday = datetime.combine(here.date() - timedelta(days=here.weekday()), time())
        start, length = _offset(self.start), (_offset(self.end, end=True) - _offset(self.start)) % WEEK or WEEK
        # A window may reach over the end of the week.
        begins = [week + start for week in (monday - WEEK, monday)]
        return any(_within(now, begin, begin + length, region) for begin in begins)

    def __str__(self) -> str:
        return f"{self.start} to {self.end} {self.timezone}"


def is_weekly(text: str) -> bool:
    """Whether a bound names a day of the week rather than a date."""
    return text[:3] in DAYS


def zone(name: str) -> ZoneInfo:
    """The time zone of that name.

    Raises:
        ValueError: when there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone: an IANA name, as Europe/Berlin or UTC") from None


def check_bound(text: str) -> str:
    """A bound as it is, when it can be read.

    Raises:
        ValueError: with what is allowed.
    """
    allowed = 'a date ("2026-12-20" or "2026-12-20 18:00") or a day of the week ("Fri 18:00")'
    found = re.fullmatch(r"(\d{4}-\d{2}-\d{2}|Mon|Tue|Wed|Thu|Fri|Sat|Sun)( \d{2}:\d{2})?", text)
    try:
        if not found:
            raise ValueError
        time.fromisoformat((found[2] or " 00:00").strip())
        if not is_weekly(text):
            datetime.fromisoformat(found[1])
    except ValueError:
        raise ValueError(f"{text!r} is no time: {allowed}") from None
    return text


def _clock(text: str) -> time:
    return time.fromisoformat(text.partition(" ")[2] or "00:00")


def _whole_day(text: str, *, end: bool) -> timedelta:
    """A bound without a time, at the end of a window, means to the end of that day."""
    return timedelta(days=1) if end and " " not in text else timedelta()


def _date(text: str, *, end: bool = False) -> datetime:
    return datetime.combine(datetime.fromisoformat(text[:10]), _clock(text)) + _whole_day(text, end=end)


def _within(now: datetime, start: datetime, end: datetime, region: ZoneInfo) -> bool:
    """Between two wall clock times; of an hour that comes twice, the first begins a window and the second ends one."""
    begun = now >= start.replace(tzinfo=region, fold=0).astimezone(UTC)
    return begun and now < end.replace(tzinfo=region, fold=1).astimezone(UTC)


def _offset(text: str, *, end: bool = False) -> timedelta:
    """Time since Monday 00:00."""
    clock = _clock(text)
    since = timedelta(days=DAYS.index(text[:3]), hours=clock.hour, minutes=clock.minute)
    return since + _whole_day(text, end=end)
