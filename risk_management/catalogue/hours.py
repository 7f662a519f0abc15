"""Trading hours and holidays of the places where the catalogue's instruments are traded.

Holidays follow from rules and are written out for a span of years; past its end nothing counts as open. Where products
differ, the shorter day is taken. A venue that tells its own calendar replaces these.
"""

from __future__ import annotations

from datetime import date, timedelta
from types import MappingProxyType

from mikrobot_platform.kernel.sessions import ALWAYS_OPEN, Sessions, windows

YEARS = range(2024, 2031)
_UNTIL = date(YEARS[-1], 12, 31)
_MON, _THU, _SAT, _SUN = 0, 3, 5, 6
_NOON_MIN, _QUARTER_PAST_NOON_MIN, _HALF_PAST_NOON_MIN, _ONE_MIN = 720, 735, 750, 780


def easter(year: int) -> date:
    """Return Easter Sunday (the anonymous Gregorian computus)."""
    golden = year % 19
    century, rest = divmod(year, 100)
    leap, leap_rest = divmod(century, 4)
    moon = (19 * golden + century - leap - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    week = (32 + 2 * leap_rest + 2 * (rest // 4) - moon - rest % 4) % 7
    late = (golden + 11 * moon + 22 * week) // 451
    month, day = divmod(moon + week - 7 * late + 114, 31)
    return date(year, month, day + 1)


def nth(year: int, month: int, weekday: int, which: int) -> date:
    """Return the nth weekday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (which - 1))


def last(year: int, month: int, weekday: int) -> date:
    """Return the last weekday of a month."""
    end = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return end - timedelta(days=(end.weekday() - weekday) % 7)


def _observed(day: date) -> date:
    """Move a US holiday from a Saturday to the Friday and from a Sunday to the Monday."""
    return day + timedelta(days={_SAT: -1, _SUN: 1}.get(day.weekday(), 0))


def _substitute(day: date, *taken: date) -> date:
    """Move a British holiday to the next working day that is no holiday already."""
    while day.weekday() >= _SAT or day in taken:
        day += timedelta(days=1)
    return day


def _new_year(year: int) -> date:
    # On a Saturday it is not brought forward: the last day of a year is traded.
    day = date(year, 1, 1)
    return day if day.weekday() == _SAT else _observed(day)


def _us_days_off(year: int) -> tuple[date, ...]:
    """List the holidays on which New York is closed and the futures stop at noon."""
    return (
        nth(year, 1, _MON, 3),  # Martin Luther King
        nth(year, 2, _MON, 3),  # Presidents
        last(year, 5, _MON),  # Memorial
        _observed(date(year, 6, 19)),  # Juneteenth
        _observed(date(year, 7, 4)),  # Independence
        nth(year, 9, _MON, 1),  # Labor
        nth(year, 11, _THU, 4),  # Thanksgiving
    )


def _us_closed(year: int) -> tuple[date, ...]:
    """List the days on which futures do not trade either. Some Good Fridays had a short session; it is not taken."""
    return _new_year(year), easter(year) - timedelta(days=2), _observed(date(year, 12, 25))


def _us_short(year: int) -> tuple[date, ...]:
    """List the days that end early in New York."""
    eves = (date(year, 7, 3), nth(year, 11, _THU, 4) + timedelta(days=1), date(year, 12, 24))
    return tuple(day for day in eves if day.weekday() < _SAT)


def _london_closed(year: int) -> tuple[date, ...]:
    christmas = _substitute(date(year, 12, 25))
    return (
        _substitute(date(year, 1, 1)), easter(year) - timedelta(days=2), easter(year) + timedelta(days=1),
        nth(year, 5, _MON, 1), last(year, 5, _MON), last(year, 8, _MON),
        christmas, _substitute(date(year, 12, 26), christmas),
    )  # fmt: skip


def _milan_closed(year: int) -> tuple[date, ...]:
    return (
        date(year, 1, 1), easter(year) - timedelta(days=2), easter(year) + timedelta(days=1), date(year, 5, 1),
        date(year, 12, 24), date(year, 12, 25), date(year, 12, 26), date(year, 12, 31),
    )  # fmt: skip


_CLOSED = frozenset(day for year in YEARS for day in _us_closed(year))
_OFF = frozenset(day for year in YEARS for day in _us_days_off(year))
_SHORT = frozenset(day for year in YEARS for day in _us_short(year)) - _OFF - _CLOSED

FUTURES_HOLIDAYS = _CLOSED
# CME holiday calendar. Metals and energy go on for an hour more on some of these days.
_GLOBEX_EARLY = MappingProxyType(
    dict.fromkeys(sorted(_OFF), _NOON_MIN) | dict.fromkeys(sorted(_SHORT), _QUARTER_PAST_NOON_MIN)
)
GLOBEX = Sessions(
    zone="America/Chicago", windows=windows("Mon-Fri 17:00-16:00"), holidays=_CLOSED, early_closes=_GLOBEX_EARLY,
    known_until=_UNTIL,
)  # fmt: skip
GRAINS = Sessions(
    zone="America/Chicago", windows=windows("Mon-Fri 19:00-07:45", "Mon-Fri 08:30-13:20"), holidays=_CLOSED | _OFF,
    early_closes=MappingProxyType(dict.fromkeys(sorted(_SHORT), _NOON_MIN)), known_until=_UNTIL,
)  # fmt: skip
NEW_YORK = Sessions(
    zone="America/New_York", windows=windows("Mon-Fri 09:30-16:00"), holidays=_CLOSED | _OFF,
    early_closes=MappingProxyType(dict.fromkeys(sorted(_SHORT), _ONE_MIN)), known_until=_UNTIL,
)  # fmt: skip
LONDON = Sessions(
    zone="Europe/London", windows=windows("Mon-Fri 08:00-16:30"),
    holidays=frozenset(day for year in YEARS for day in _london_closed(year)),
    early_closes=MappingProxyType(
        {date(year, 12, day): _HALF_PAST_NOON_MIN for year in YEARS for day in (24, 31)}
    ),
    known_until=_UNTIL,
)  # fmt: skip
MILAN = Sessions(
    zone="Europe/Rome", windows=windows("Mon-Fri 09:00-17:30"),
    holidays=frozenset(day for year in YEARS for day in _milan_closed(year)), known_until=_UNTIL,
)  # fmt: skip
# Currencies: the bank day ends at 17:00 in New York. Only the two days on which every bank is closed are left out.
CURRENCIES = Sessions(
    zone="America/New_York", windows=windows("Mon-Fri 17:00-17:00"),
    holidays=frozenset(date(year, month, day) for year in YEARS for month, day in ((1, 1), (12, 25))),
    known_until=_UNTIL,
)  # fmt: skip
# Contracts for difference on what futures markets trade: their day, in the zone of the brokers' servers.
CFD_DAY = Sessions(
    zone="America/New_York", windows=windows("Mon-Fri 18:00-17:00"), holidays=_CLOSED,
    early_closes=MappingProxyType({day: minutes + 60 for day, minutes in _GLOBEX_EARLY.items()}), known_until=_UNTIL,
)  # fmt: skip
ROUND_THE_CLOCK = ALWAYS_OPEN
