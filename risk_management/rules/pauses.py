"""Pauses: after an entry in the same symbol, after a loss, and after several losses in a row."""

from __future__ import annotations

from datetime import datetime

from mikrobot_platform.kernel.decisions import Code
from risk_management.rules.case import Case
from risk_management.rules.facts import known
from risk_management.rules.ruling import ALLOWED, Allow, Ruling, recalled, skip


def cooled_down(case: Case) -> Ruling:
    """Skip a symbol for a while after the last entry in it."""
    at, pause_s = known(case.account.last_entry_at), case.limits.cooldown_s
    return _after(case, at, pause_s, Code.GATE_COOLDOWN)


def loss_paused(case: Case) -> Ruling:
    """Skip everything for a while after a loss."""
    at, pause_s = known(case.account.last_loss_at), case.limits.loss_pause_s
    return _after(case, at, pause_s, Code.GATE_LOSS_PAUSE)


def loss_streak(case: Case) -> Ruling:
    """Skip the rest of the day after so many losses in a row."""
    return _shorter(known(case.account.loss_streak), case.limits.max_loss_streak)


@recalled
def _shorter(streak: int, limit: int | None) -> Ruling:
    numbers = {"streak": streak, "limit": limit}
    return skip(Code.GATE_LOSS_STREAK, numbers) if limit is not None and streak >= limit else Allow(numbers)


def _after(case: Case, at: datetime | None, pause_s: int | None, code: Code) -> Ruling:
    if at is None or pause_s is None:
        return ALLOWED
    # One signal after another went to the same accounts, so many of them have waited for as long.
    return _waited(int((case.now - at).total_seconds()), pause_s, code)


@recalled
def _waited(since_s: int, pause_s: int, code: Code) -> Ruling:
    numbers = {"since_s": since_s, "pause_s": pause_s}
    return skip(code, numbers) if since_s < pause_s else Allow(numbers)
