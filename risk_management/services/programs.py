"""Which firm's program an account is under, and by which clock its days turn."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType

from accounts.models import TradingAccount
from accounts.models.trading_accounts import Phase as AccountPhase
from risk_management.compliance.clock import ResetClock
from risk_management.compliance.library import Choice, Found, Library, bundled, load
from risk_management.compliance.parser import STANDARD
from risk_management.compliance.program import Phase, Program

_PHASES: Mapping[str, Phase] = MappingProxyType(
    {
        AccountPhase.EVALUATION: Phase.CHALLENGE,
        AccountPhase.VERIFICATION: Phase.VERIFICATION,
        AccountPhase.FUNDED: Phase.FUNDED,
    }
)


@lru_cache(maxsize=1)
def library() -> Library:
    """Read our files once in a process."""
    return load(bundled())


def find(account: TradingAccount, *, on: date) -> Found | None:
    """Return the program of an account, or that none is known; None for an account of no firm."""
    if account.kind != TradingAccount.Kind.PROP or account.size is None or account.phase not in _PHASES:
        return None
    return _find(account.firm, account.program, _PHASES[account.phase], format(account.size.normalize(), "f"), on)


@lru_cache(maxsize=4096)
def _find(firm: str, text: str, phase: Phase, size: str, on: date) -> Found:
    program, variant = _named(firm, text)
    return library().find(Choice(firm=firm, program=program, phase=phase, size=Decimal(size), variant=variant), on=on)


def _named(firm: str, text: str) -> tuple[str, str]:
    """Read what a customer calls a program: its name, or name and variant, as in "4.0 Evaluation EOD Rithmic"."""
    said = _bare(text)
    for one in library().programs:
        name, whole = _bare(one.edition.program), _bare(f"{one.edition.program} {one.variant}")
        if _bare(one.edition.firm) == _bare(firm) and said == whole != name:
            return one.edition.program, one.variant
    return text, STANDARD


def _bare(text: str) -> str:
    """Leave out what people write in different ways."""
    return " ".join(re.findall(r"[a-z0-9.]+", text.casefold()))


def program_of(account: TradingAccount, *, on: date) -> Program | None:
    """Return the program of an account; None for an account of no firm, or of a program that nobody knows."""
    found = find(account, on=on)
    return None if found is None else found.program


def key_of(program: Program) -> str:
    """Name a program so that no other edition, phase, size or variant has the same name."""
    edition = program.edition
    return f"{edition.firm} {edition.program} {edition.version}, {program.phase}, {program.size:f}, {program.variant}"


def day_clock(account: TradingAccount, zone: str, *, now: datetime) -> ResetClock:
    """Return the clock by which an account's days turn: its firm's, or midnight in its organization's zone."""
    program = program_of(account, on=now.date())
    return ResetClock(zone=zone, at=time(0)) if program is None else program.day


def by_key(key: str) -> Program | None:
    """Return the program that `key_of` has named; None for no name, or when its edition is not among our files."""
    return _by_key().get(key)


@lru_cache(maxsize=1)
def _by_key() -> Mapping[str, Program]:
    return MappingProxyType({key_of(program): program for program in library().programs})
