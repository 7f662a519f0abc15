"""Follows: this account trades what that strategy signals, with these settings. Empty filters let everything through.

Settings can only make a strategy narrower: fewer symbols, one side, certain hours, a tighter range. How much is at
stake has a hard limit here, and another one where each trade is decided.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal
from uuid import UUID
from zoneinfo import available_timezones

from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Caller, Permission, Refused
from accounts.models import AccountStatus, TradingAccount
from mikrobot_platform.kernel import market
from mikrobot_platform.kernel.market import Side
from trading.models import Follow, RiskMode, Strategy
from trading.strategies import Parameters

MAX_RISK_PERCENT = Decimal(2)
MAX_WINDOWS = 20
MAX_SYMBOLS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Hours on some days of the week (Monday is 1) in which signals are taken; it may run past midnight."""

    days: tuple[int, ...]
    start: time
    end: time
    zone: str

    def plain(self) -> dict[str, object]:
        return {
            "days": sorted(self.days), "from": f"{self.start:%H:%M}", "to": f"{self.end:%H:%M}", "zone": self.zone
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How an account follows."""

    risk_mode: str = RiskMode.STRATEGY.value
    risk_value: Decimal | None = None
    symbols: Collection[str] = ()
    sides: Collection[str] = ()
    windows: Sequence[Window] = ()
    # Tighter than the strategy's own: max_positions, atr_pips_min, atr_pips_max.
    overrides: Mapping[str, Decimal] = field(default_factory=dict)


def follow(caller: Caller, account_id: UUID, strategy_id: UUID, settings: Settings) -> Follow:
    """Let an account follow a strategy that it does not follow yet."""
    caller.require(Permission.TRADE)
    account: TradingAccount | None = TradingAccount.objects.select_for_update().filter(pk=account_id).first()
    if account is None:
        raise Refused("account_unknown", _("There is no such account."))
    if account.status == AccountStatus.CLOSED:
        raise Refused("account_closed", _("This account is closed."))
    strategy: Strategy | None = Strategy.objects.filter(pk=strategy_id).first()
    if strategy is None:
        raise Refused("strategy_unknown", _("There is no such strategy."))
    if strategy.retired_at is not None:
        raise Refused("strategy_retired", _("This version is no longer offered. Choose a newer one."))
    if Follow.objects.filter(account=account, strategy=strategy).exists():
        raise Refused("followed_already", _("This account follows the strategy already."))
    row = Follow(
        organization_id=caller.organization_id,
        account=account,
        strategy=strategy,
        strategy_organization_id=strategy.organization_id,
    )
    _set(row, settings, strategy.read_parameters())
    row.save(force_insert=True)
    audit.record("follow.started", row, account=str(account.pk), strategy=f"{strategy.code}/{strategy.version}")
    return row


def change(caller: Caller, follow_id: UUID, settings: Settings) -> Follow:
    """Follow with other settings from now on; what was decided before stays as it is."""
    row = _own(caller, follow_id)
    before = {name: getattr(row, name) for name in _COLUMNS}
    _set(row, settings, row.strategy.read_parameters())
    changed = sorted(name for name, value in before.items() if value != getattr(row, name))
    if changed:
        row.save(update_fields=changed)
        audit.record("follow.changed", row, fields=changed)
    return row


def pause(caller: Caller, follow_id: UUID, reason: str = "") -> Follow:
    """Take no new signals for the account; what is open goes on being managed."""
    row = _own(caller, follow_id)
    if not row.is_paused:
        row.is_paused, row.pause_reason = True, " ".join(reason.split())[:300]
        row.save(update_fields=["is_paused", "pause_reason"])
        audit.record("follow.paused", row, note=row.pause_reason)
    return row


def resume(caller: Caller, follow_id: UUID) -> Follow:
    row = _own(caller, follow_id)
    if row.is_paused:
        row.is_paused, row.pause_reason = False, ""
        row.save(update_fields=["is_paused", "pause_reason"])
        audit.record("follow.resumed", row)
    return row


def unfollow(caller: Caller, follow_id: UUID) -> None:
    """End it; its history stays in the ledger and in the trail."""
    row = _own(caller, follow_id)
    audit.record(
        "follow.ended", row, account=str(row.account_id), strategy=f"{row.strategy.code}/{row.strategy.version}"
    )
    row.delete()


# --- checks -----------------------------------------------------------------------------------------------------------
_COLUMNS = ("risk_mode", "risk_value", "symbols", "sides", "windows", "overrides")


def _set(row: Follow, settings: Settings, parameters: Parameters) -> None:
    row.risk_mode, row.risk_value = settings.risk_mode, _risk(settings)
    row.symbols = _symbols(settings.symbols, parameters)
    if not set(settings.sides) <= set(Side):
        raise Refused("side_invalid", _("A side is buy or sell."))
    row.sides = sorted(set(settings.sides))
    row.windows = [_window(window) for window in settings.windows]
    if len(row.windows) > MAX_WINDOWS:
        raise Refused("windows_too_many", _("%(limit)s windows are the limit.") % {"limit": MAX_WINDOWS})
    least = settings.overrides.get("atr_pips_min", parameters.atr_pips_min)
    if least > settings.overrides.get("atr_pips_max", parameters.atr_pips_max):
        raise Refused("override_invalid", _("A range goes from less to more."))
    row.overrides = {name: format(_tighter(name, value, parameters), "f") for name, value in settings.overrides.items()}


def _risk(settings: Settings) -> Decimal | None:
    if settings.risk_mode not in RiskMode.values:
        raise Refused("risk_invalid", _("Choose how the size is found."))
    value = settings.risk_value
    if settings.risk_mode == RiskMode.STRATEGY:
        return None
    if value is None or not value.is_finite() or value <= 0 or market.decimals(value) > 8 or value >= 10**12:
        raise Refused("risk_invalid", _("Give a figure above zero, with at most 8 decimals."))
    if settings.risk_mode == RiskMode.PERCENT and value > MAX_RISK_PERCENT:
        sentence = _("More than %(limit)s %% of an account is never risked in one trade.")
        raise Refused("risk_too_high", sentence % {"limit": MAX_RISK_PERCENT})
    return value


def _symbols(wanted: Collection[str], parameters: Parameters) -> list[str]:
    if len(wanted) > MAX_SYMBOLS:
        raise Refused("symbols_too_many", _("%(limit)s symbols are the limit.") % {"limit": MAX_SYMBOLS})
    for name in wanted:
        if market.symbol(name) is None or (parameters.symbols and name not in parameters.symbols):
            raise Refused("symbol_invalid", _("The strategy does not trade “%(symbol)s”.") % {"symbol": name})
    return sorted(set(wanted))


def _window(window: Window) -> dict[str, object]:
    if not window.days or not set(window.days) <= set(range(1, 8)):
        raise Refused("window_invalid", _("Choose at least one day of the week."))
    if window.start == window.end:
        raise Refused("window_invalid", _("A window begins and ends at different times."))
    if window.zone not in available_timezones():
        raise Refused("zone_invalid", _("“%(zone)s” is not a time zone.") % {"zone": window.zone})
    return window.plain()


def _tighter(name: str, value: Decimal, parameters: Parameters) -> Decimal:
    """Accept an override that lets less through than the strategy does."""
    own: Decimal | int | None = getattr(parameters, name, None) if name in _TIGHTER else None
    if own is None:
        raise Refused("override_unknown", _("“%(name)s” cannot be changed here.") % {"name": name})
    is_narrower = own <= value <= parameters.atr_pips_max if name == "atr_pips_min" else 0 < value <= own
    is_whole = name != "max_positions" or value == value.to_integral_value()
    if not value.is_finite() or not is_narrower or not is_whole:
        raise Refused("override_invalid", _("“%(name)s” may only be tighter than the strategy’s own.") % {"name": name})
    return value


_TIGHTER = frozenset({"max_positions", "atr_pips_min", "atr_pips_max"})


def _own(caller: Caller, follow_id: UUID) -> Follow:
    caller.require(Permission.TRADE)
    row: Follow | None = Follow.objects.select_for_update().filter(pk=follow_id).first()
    if row is None:
        raise Refused("follow_unknown", _("There is no such follow."))
    return row
