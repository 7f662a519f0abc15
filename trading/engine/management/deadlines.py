"""By when a position must be closed: moments that follow from when it was opened, and from calendars.

They are counted from the opening and not from now. So a deadline that was missed, because we or the venue were down,
is past and acted on at the next look; counted from now it would have become the one of the next day.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from mikrobot_platform.kernel.decisions import Code
from mikrobot_platform.kernel.sessions import Sessions
from risk_management.compliance.clock import FlatBy

WEEKEND = timedelta(days=1)  # a break that is longer: from Friday to Sunday, and over long holidays


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A moment by which a position must be closed, and why."""

    at: datetime
    code: Code


def firm_cutoff(clock: FlatBy, *, opened_at: datetime, names: Collection[str] = ()) -> Deadline:
    """Return when the firm wants this position closed; at once, when it was opened while nothing may be held."""
    return Deadline(at=_flat_at(clock, opened_at, names), code=Code.MANAGE_FIRM_CUTOFF)


def day_end(clock: FlatBy, *, opened_at: datetime, names: Collection[str] = ()) -> Deadline:
    """Return when the customer's or the strategy's own day ends for this position."""
    return Deadline(at=_flat_at(clock, opened_at, names), code=Code.MANAGE_DAY_END)


def session_end(sessions: Sessions, *, opened_at: datetime) -> Deadline | None:
    """Return when the session ends in which a position was opened, an early close included.

    None when the calendar says nothing about that day: it then stands to the venue to refuse.
    """
    span = next(sessions.spans(opened_at), None)
    return None if span is None else Deadline(at=span[1], code=Code.MANAGE_SESSION_END)


def break_ahead(sessions: Sessions, *, opened_at: datetime, longest: timedelta = WEEKEND) -> Deadline | None:
    """Return when trading first stops for longer than a position may be held through.

    Where the calendar ends nobody knows for how long trading stops, and that is too long. None where it never does.
    """
    closes: datetime | None = None
    for opens, next_closes in sessions.spans(opened_at):
        if closes is not None and opens - closes > longest:
            break
        closes = next_closes
        if closes - opened_at > _FAR:
            return None
    return None if closes is None else Deadline(at=closes, code=Code.MANAGE_BREAK_AHEAD)


_FAR = timedelta(days=15)  # what is not closed for two weeks is never closed: coins


def _flat_at(clock: FlatBy, opened_at: datetime, names: Collection[str]) -> datetime:
    if clock.must_be_flat(opened_at, names):
        return opened_at
    return clock.next_deadline(opened_at, names)
