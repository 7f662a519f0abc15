"""What is known of a source's clock, in words."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from trading.engine.broker_clock import VOTES_UP, ClockReading, DeclaredClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A clock's distance from UTC, and how sure that is."""

    headline: str
    sentence: str
    is_doubtful: bool = False


def told(reading: ClockReading) -> Clock:
    """Say how far a clock is from UTC, by whom that is said, and what follows where it is not known."""
    if reading.declared is None:
        return _learnt(reading)
    where = {"where": _declared(reading.declared)}
    if reading.drift_s:
        figures = where | {"learnt": utc(reading.learnt_s or 0), "drift": span(abs(reading.drift_s))}
        sentence = _(
            "Declared as %(where)s, but what arrives says %(learnt)s: %(drift)s apart. Until one of them is put "
            "right, no age is known by this clock, and nothing that needs one is traded."
        )
        return Clock(headline=_("In doubt"), sentence=sentence % figures, is_doubtful=True)
    if reading.offset_s is None:
        return Clock(
            headline=_("Declared"),
            sentence=_("Declared as %(where)s. Nothing with a stamp has arrived yet to check it.") % where,
        )
    said = _("Declared as %(where)s.") % where
    return Clock(headline=utc(reading.offset_s), sentence=f"{said} {_agreement(reading)}")


def _learnt(reading: ClockReading) -> Clock:
    if reading.offset_s is not None:
        sentence = f"{_('Learnt from what arrived.')} {_agreement(reading)}"
        if reading.drift_s:
            sentence += " " + _("It has just moved by %(drift)s.") % {"drift": span(abs(reading.drift_s))}
        return Clock(headline=utc(reading.offset_s), sentence=sentence)
    return Clock(
        headline=_("Not known yet"),
        sentence=_agreement(reading) + " " + _("Until it is known, nothing is traded whose age only this clock tells."),
    )


def _agreement(reading: ClockReading) -> str:
    if reading.learnt_s is None and reading.arrivals < VOTES_UP:
        return _("Not enough stamps have arrived to learn it (n = %(n)s, needs %(needed)s).") % {
            "n": reading.arrivals,
            "needed": VOTES_UP,
        }
    if reading.learnt_s is None:
        return _("The last %(n)s stamps do not agree.") % {"n": reading.arrivals}
    figures = {"agreeing": reading.agreeing, "n": reading.arrivals, "percent": int(reading.confidence * 100)}
    return (
        ngettext(
            "%(agreeing)s of the last %(n)s stamp agrees (%(percent)s %%).",
            "%(agreeing)s of the last %(n)s stamps agree (%(percent)s %%).",
            reading.arrivals,
        )
        % figures
    )


def _declared(clock: DeclaredClock) -> str:
    zone = clock.zone.replace("_", " ")
    if not clock.shift_s:
        return zone
    figures = {"zone": zone, "span": span(abs(clock.shift_s))}
    return _("%(span)s ahead of %(zone)s") % figures if clock.shift_s > 0 else _("%(span)s behind %(zone)s") % figures


def utc(offset_s: int) -> str:
    """Write a distance from UTC as clocks do."""
    hours, minutes = divmod(abs(offset_s) // 60, 60)
    return f"UTC{'-' if offset_s < 0 else '+'}{hours}:{minutes:02}"


def span(seconds: int) -> str:
    """Write a time in hours and minutes."""
    hours, minutes = divmod(seconds // 60, 60)
    parts = [_("%(n)s h") % {"n": hours}] if hours else []
    return " ".join([*parts, *([_("%(n)s min") % {"n": minutes}] if minutes or not hours else [])])
