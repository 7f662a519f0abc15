"""What a signal would be on an account, before anything is decided for good: the gate's own decision, and what is left.

Nothing is worked out here. The size is that of `decide`; the room is what the gate's own rules about floors say, asked
also where an earlier rule has denied, so that a customer sees it in any case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from types import MappingProxyType

from mikrobot_platform.kernel.decisions import Code, Decision, Verdict, evidence
from mikrobot_platform.kernel.money import Currency, minor_unit
from risk_management.kelly import TradeStats
from risk_management.rules import RULES, Gate
from risk_management.rules.case import ZERO, Case
from risk_management.rules.evaluation import Ruled
from risk_management.rules.facts import AccountFacts, Lacking, Shared
from risk_management.rules.ruling import Deny
from risk_management.rules.settings import Follow
from risk_management.sizing import HalfKelly

# Rule -> the numbers in which it tells a room, each with the words for its limit; "": the rule names it itself.
_ROOMS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "day_loss": {"room": "your loss of a day"},
        "week_loss": {"room": "your loss of a week"},
        "month_loss": {"room": "your loss of a month"},
        "firm_floors": {"daily_loss_room": "the firm's daily loss", "max_loss_room": "the firm's maximum loss"},
        "own_drawdown": {"room": ""},
    }
)
_ROOM_RULES = tuple(rule for rule in RULES if rule.name in _ROOMS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """How much the tightest limit leaves; no limit at all, or one of which it is not known."""

    amount: Decimal | None
    limit: str  # in words; empty: there is none

    def words(self, currency: Currency) -> str:
        """Say it to a person, rounded down to the coin."""
        if not self.limit:
            return "no limit is set"
        if self.amount is None:
            return f"not known ({self.limit})"
        return f"{self.amount.quantize(minor_unit(currency), rounding=ROUND_FLOOR):f} {currency} ({self.limit})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One signal on one account."""

    account: str
    ruled: Ruled  # as the gate would decide now
    left: Left  # of today, before this trade
    trades: int | None  # n of the record that half Kelly sizes by; None: it does not

    @property
    def decision(self) -> Decision:
        """Return it with a code and figures."""
        ruled, left = self.ruled, self.left.words(self.ruled.currency)
        if ruled.verdict in (Verdict.REFUSED, Verdict.SKIPPED):
            figures = evidence(reason=ruled.sentence(), reason_code=ruled.code.value, left=left)
            return Decision(verdict=ruled.verdict, code=Code.PREVIEW_NOTHING, evidence=figures)
        code = Code.PREVIEW_ADVICE if ruled.verdict is Verdict.ADVISED else Code.PREVIEW_SIZED
        shown = ("quantity", "unit", "risk", "currency", "percent", "bound")
        figures = evidence(**{name: ruled.figures()[name] for name in shown}, left=left, trades=self.trades)
        return Decision(verdict=ruled.verdict, code=code, evidence=figures)

    @property
    def sentence(self) -> str:
        """Say it to a person."""
        return self.decision.sentence


def preview(shared: Shared, account: AccountFacts, *, now: datetime) -> Preview:
    """Show one signal on one account; same facts and time, same answer as the gate's."""
    return preview_many(shared, [account], now=now)[0]


def preview_many(shared: Shared, accounts: Iterable[AccountFacts], *, now: datetime) -> list[Preview]:
    """Show a signal that would open something on many accounts."""
    if not shared.signal.action.is_entry:
        raise ValueError("an exit has no size to show")
    gate = Gate(shared, now, RULES)
    return [
        Preview(
            account=account.account,
            ruled=gate.decide(account),
            left=_left(Case(gate.desk, account)),
            trades=_trades(account),
        )
        for account in accounts
    ]


def _left(case: Case) -> Left:
    """Find the tightest of all limits; one that cannot be told makes the whole unknown."""
    found = list(_rooms(case))
    unknown = [left for left in found if left.amount is None]
    return unknown[0] if unknown else min(found, key=_amount, default=Left(amount=None, limit=""))


def _rooms(case: Case) -> Iterator[Left]:
    for rule in _ROOM_RULES:
        try:
            ruling = rule.judge(case)
        except Lacking as lack:
            yield Left(amount=None, limit=lack.missing.fact)
            continue
        told = [(name, words) for name, words in _ROOMS[rule.name].items() if name in ruling.numbers]
        for name, words in told:
            amount = ruling.numbers[name]
            assert isinstance(amount, Decimal)
            yield Left(amount=max(amount, ZERO), limit=words or str(ruling.numbers["limit"]))
        if isinstance(ruling, Deny) and not told:  # the account is lost, or its day is over
            yield Left(amount=ZERO, limit="the firm's limits")


def _amount(left: Left) -> Decimal:
    return ZERO if left.amount is None else left.amount


def _trades(account: AccountFacts) -> int | None:
    follow, stats = account.follow, account.stats
    sizes_by_them = isinstance(follow, Follow) and isinstance(follow.mode, HalfKelly)
    return stats.n if sizes_by_them and isinstance(stats, TradeStats) else None
