"""FHIR dates and times as Taken, with the text as received.

Knows: full dates, times with and without zone, partial dates, what counts as the future.
Must not know: what happened at that time. The clock and its zone come from the caller.
"""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from cds_service.calcinosis.facts import Taken

_ZONE = re.compile(r"(?:Z|[+-]\d\d:\d\d)\Z", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:\d\d)?\Z", re.ASCII)
_PARTIAL = re.compile(r"(\d{4})(?:-(\d\d))?\Z", re.ASCII)

# Clocks of analysers and servers differ a little; a result dated beyond this is not from this world.
CLOCK_TOLERANCE: Final = timedelta(minutes=15)
# Years outside are typing errors, and near the ends of the calendar no window could be added or subtracted.
_FIRST_YEAR: Final = 1800
_LAST_YEAR: Final = 2999
_offsets: dict[str, timedelta] = {}


def taken_at(text: str, zone: tzinfo | None, *, uncertain: bool = False) -> Taken | None:
    """The time of a full FHIR date or dateTime; None when it is partial or no date at all.

    A time without zone and a date without time are taken in `zone`.
    """
    usual = usual_time(text)
    if usual is not None:
        return Taken(usual, text, False, uncertain)
    day_only = len(text) == 10
    # a day needs no pattern: at these places fromisoformat takes nothing else
    if not (text[4] == text[7] == "-" if day_only else _TIME.match(text)):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone)
    # one zone object for all: comparing times of different zone objects costs ten times as much
    return Taken(at.astimezone(UTC), text, day_only, uncertain) if _FIRST_YEAR <= at.year <= _LAST_YEAR else None


def usual_time(text: str) -> datetime | None:
    """The time of a dateTime with seconds and zone, without fractions, in UTC; None for all others.

    The zones are understood once each; fromisoformat takes nothing but FHIR's form at these places.
    """
    if text[4:17:3] != "--T::" or not "1800" <= text < "3":
        return None
    zone = text[19:]
    offset = _offsets.get(zone)
    if offset is None and (offset := _offset(zone)) is None:
        return None
    try:
        at = datetime.fromisoformat(text[:19] + "+00:00")
    except ValueError:
        return None
    return at - offset if offset else at


def _offset(zone: str) -> timedelta | None:
    """The offset of a zone; there are not more than some thousand."""
    try:
        offset = datetime.fromisoformat("2000-01-01T00:00:00" + zone).utcoffset() if _ZONE.match(zone) else None
    except ValueError:
        return None
    if offset is not None:
        _offsets[zone] = offset
    return offset


def since_when(text: str, zone: tzinfo | None) -> Taken | None:
    """The same for facts that need no hour: a year or a month counts from its first day."""
    partial = _PARTIAL.match(text) if len(text) < 10 else None
    if partial is None:
        return taken_at(text, zone)
    year, month = int(partial[1]), int(partial[2] or 1)
    if not _FIRST_YEAR <= year <= _LAST_YEAR or not 1 <= month <= 12:
        return None
    return Taken(datetime(year, month, 1, tzinfo=zone).astimezone(UTC), text, day_only=True)


def has_zone(text: str) -> bool:
    """Whether a dateTime names its zone; a date without time needs none."""
    return len(text) == 10 or text[-1] == "Z" or text[-6] in "+-"


class Future:
    """Whether times lie after the evaluation time: beyond the tolerance, or on a later day when only that is known.

    surely_past: a text before it lies behind us.
    """

    def __init__(self, now: datetime) -> None:
        self._latest = (now + CLOCK_TOLERANCE).astimezone(UTC)
        self._today = now.date().isoformat()
        # as text compares as time does, whatever the zones, up to two days before
        self.surely_past = (now - timedelta(days=2)).date().isoformat()

    def holds(self, taken: Taken) -> bool:
        """Judge one time."""
        if taken.text < self.surely_past:
            return False
        return taken.text[:10] > self._today if taken.day_only else taken.at > self._latest


def in_future(taken: Taken, now: datetime) -> bool:
    """The same for a single time."""
    return Future(now).holds(taken)


def birth_date(text: str | None) -> date | None:
    """The date of birth; of a month or a year alone its first day."""
    taken = since_when(text, UTC) if text else None
    return taken.at.date() if taken else None
