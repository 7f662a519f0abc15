"""One signal made ready for many accounts (`Desk`), and one account in front of it (`Case`).

What depends on the signal alone, or on the signal and a currency or a program, is worked out once and kept on the desk.
Nothing here decides; a fact that is missing leaves the rule that asks for it (`facts.known`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, Context, Decimal
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

from mikrobot_platform.kernel.decisions import Decision
from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Side
from mikrobot_platform.kernel.money import EXACT, Money, Ratio
from mikrobot_platform.kernel.signals import OrderKind
from risk_management.compliance.policy import Stance, stance
from risk_management.compliance.program import Axis, Program
from risk_management.compliance.room import Room
from risk_management.rules.facts import AccountFacts, Firm, Holding, Missing, Quote, Shared, Snapshot, Terms, known
from risk_management.rules.floors import Floor
from risk_management.rules.settings import Follow, Limits, Strategy
from risk_management.sizing import (
    AccountState,
    Costs,
    HalfKelly,
    Lot,
    Purse,
    SizingLimits,
    SizingRequest,
    Wish,
    lot_of,
    wish_of,
)

T = TypeVar("T")
ZERO = Decimal(0)
UPWARDS, FINEST = Context(prec=60, rounding=ROUND_CEILING), Decimal("1e-10")


if TYPE_CHECKING:
    kept = property  # to whoever reads it
else:

    class kept:  # noqa: N801 - used like property
        """An attribute that is worked out at its first use. `functools.cached_property` takes a lock each time."""

        def __init__(self, work):
            self._work, self._name, self.__doc__ = work, work.__name__, work.__doc__

        def __get__(self, owner, _kind=None):
            found = owner.__dict__[self._name] = self._work(owner)
            return found


class Desk:
    """A signal, everything that its accounts share, and what was worked out for the ones before."""

    def __init__(self, shared: Shared, now: datetime) -> None:
        self.shared, self.signal, self.now = shared, shared.signal, now
        self._kept: dict[object, object] = {}
        self.lasting: set[int] = set()  # ids of what is kept here, and so stays what it is

    def once(self, key: object, work: Callable[[], T]) -> T:
        """Work something out for the first account that needs it, and keep it for the others."""
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = work()
            self.lasting.add(id(found))
        return found  # type: ignore[return-value]  # a key always has its own kind of answer

    @kept
    def spec(self) -> InstrumentSpec:
        """Return the instrument, which must be the one that is asked for."""
        spec = known(self.shared.instrument)
        if spec.symbol != self.signal.symbol:
            raise ValueError(f"{self.signal.symbol} was given the instrument {spec.symbol}")
        return spec

    @kept
    def side(self) -> Side:
        """Return the side of the trade."""
        return known(self.signal.side)

    @kept
    def quote(self) -> Quote:
        """Return the last quote."""
        return known(self.shared.quote)

    @kept
    def strategy(self) -> Strategy:
        """Return the strategy's terms."""
        return known(self.shared.strategy)

    @kept
    def entry(self) -> Price:
        """Return the price at which the entry is expected: its own for an order that waits, else the market's."""
        wanted = known(self.signal.entry)
        if known(self.signal.kind) is not OrderKind.MARKET and wanted is not None:
            return wanted
        return self.quote.entry(self.side)

    @kept
    def reach(self) -> Decimal | None:
        """Return how far in price the trade can go its way: to its farthest target; None when nothing ends it."""
        targets = known(self.signal.targets)
        return max((target - self.entry) * self.side.sign for target in targets) if targets else None

    def day_in(self, zone: str) -> date:
        """Return the date in a zone."""
        return self.once((zone, date), lambda: self.now.astimezone(ZoneInfo(zone)).date())

    def age_s(self, at: datetime) -> Decimal:
        """Return how far from now a moment is; one in the future tells of a clock that is wrong."""
        age = abs(self.now - at)
        return Decimal(age // timedelta(microseconds=1)).scaleb(-6).normalize()

    def stance_of(self, key: str | None, program: Program | None, uses: frozenset[Axis]) -> Stance:
        """Take the firm's side. It is worked out here and is no fact, so that nobody can hand in a kinder one."""
        return self.once((key, uses), lambda: stance(program, today=self.now.date(), uses=uses))

    def costs_of(self, terms: Terms) -> Costs:
        """Say what a trade costs beside the way to its stop."""
        return Costs(
            spread=self.quote.ask - self.quote.bid,
            spread_is_in_entry=known(self.signal.kind) is OrderKind.MARKET,
            slippage=self.strategy.slippage_allowance,
            commission=terms.commission,
            commission_rate=terms.commission_rate,
        )

    def sizing_limits_of(self, limits: Limits) -> SizingLimits:
        """Say what the customer allows for one trade. Equal figures are the same, however many zeros they end with."""
        most, percent, quantity = limits.max_leverage, limits.max_risk_percent, limits.max_quantity
        return self.once((SizingLimits, most, percent, quantity), lambda: _sizing_limits(limits))

    def lot_for(self, case: Case) -> Lot | Decision:
        """Measure one lot for all accounts of the same currency and commission, to the last zero of its text."""
        commission, rate = case.terms.commission, str(case.terms.commission_rate)
        charged = None if commission is None else (str(commission.amount), commission.currency)
        return self.once((case.account.currency, charged, rate), lambda: lot_of(case.sizing_request()))

    def wish_for(self, case: Case, lot: Lot) -> Wish | Decision:
        """Say what a follow asks for, once for all that ask for the same; Kelly's formula asks each for its record."""
        mode, scale = case.follow.mode, case.follow.confidence_scale
        if isinstance(mode, HalfKelly):
            return wish_of(case.sizing_request(), lot)
        key = (mode.words, id(scale), id(lot), case.limits.max_risk_percent is None)  # the words hold all that is set
        return self.once(key, lambda: (scale, wish_of(case.sizing_request(), lot)))[1]


class Case:
    """One account in front of the desk, with what the rules before have found."""

    lot: Lot  # from the sizing rule on

    def __init__(self, desk: Desk, account: AccountFacts) -> None:
        self.desk, self.account, self.now = desk, account, desk.now
        self.quantity = self.risk = self.worth = ZERO
        self.bound = ""
        self.floors: list[Floor] = []
        self.rooms: tuple[Room, ...] = ()  # what the program's limits leave

    @kept
    def limits(self) -> Limits:
        """Return what the customer allows."""
        return known(self.account.limits)

    @kept
    def follow(self) -> Follow:
        """Return how the customer follows the strategy."""
        return known(self.account.follow)

    @kept
    def terms(self) -> Terms:
        """Return what the venue asks of the account."""
        return known(self.account.terms)

    @kept
    def firm(self) -> Firm | None:
        """Return the firm's side; None for an account of no firm."""
        return known(self.account.firm)

    @kept
    def program(self) -> Program | None:
        """Return the program that the account is under; None for an account of no firm, or of an unknown program."""
        programs, firm = known(self.desk.shared.programs), self.firm
        key = None if firm is None else known(firm.program)
        return None if key is None else known(programs.get(key, Missing(f"the program {key}")))

    @kept
    def holdings(self) -> tuple[Holding, ...]:
        """Return positions and working orders together: an order may be a position in a second."""
        positions, orders = known(self.account.positions), known(self.account.orders)
        return positions + orders if orders else positions

    @kept
    def notional(self) -> Decimal:
        """Return what positions and working orders are worth together."""
        holdings = self.holdings
        return sum([known(held.notional) for held in holdings], ZERO) if holdings else ZERO

    @kept
    def snapshot(self) -> Snapshot:
        """Return the account's money as it was told."""
        return known(self.account.snapshot)

    @kept
    def balance(self) -> Decimal:
        """Return the balance."""
        return known(self.snapshot.balance)

    @kept
    def equity(self) -> Decimal:
        """Return balance and open results, swap and commission included; of two figures that differ the lower one."""
        told, summed = known(self.snapshot.equity), self.balance + known(self.snapshot.floating)
        return told if told <= summed else summed

    def cut(self, quantity: Decimal, bound: str) -> None:
        """Take a smaller quantity, and what it risks."""
        self.quantity, self.bound, self.risk = quantity, bound, self.costing(self.lot.loss, quantity)
        self.worth = self.costing(self.lot.notional, quantity)

    def costing(self, per_lot: Ratio, quantity: Decimal) -> Decimal:
        """Return what a quantity takes of something, exactly, or rounded up where it has no end."""
        top = EXACT.multiply(per_lot.top, quantity)
        return top if per_lot.bottom == 1 else UPWARDS.quantize(UPWARDS.divide(top, per_lot.bottom), FINEST)

    def within(self, amount: Decimal, per_lot: Ratio) -> Decimal:
        """Return the largest quantity on the grid that an amount pays for."""
        return self.desk.spec.floor_quantity(Ratio(amount), per_lot)

    @kept
    def purse(self) -> Purse:
        """Return the figures that sizing divides. A record of trades that is missing is missed here as well."""
        equity, balance = self.equity, self.balance
        free_margin, notional = equity - known(self.snapshot.margin_used), self.notional
        known(self.account.stats)
        return Purse(balance, equity, free_margin, notional)

    def sizing_request(self) -> SizingRequest:
        """Put together what sizing asks."""
        desk, account, signal, equity = self.desk, self.account, self.desk.signal, self.equity
        return SizingRequest(
            mode=self.follow.mode,
            instrument=desk.spec,
            side=desk.side,
            entry=desk.entry,
            stop=known(signal.stop),
            account=AccountState(
                balance=self._money(self.balance),
                equity=self._money(equity),
                free_margin=self._money(equity - known(self.snapshot.margin_used)),
                open_notional=self._money(self.notional),
            ),
            costs=desk.costs_of(self.terms),
            limits=_sizing_limits(self.limits),
            now=self.now,
            rates=known(desk.shared.rates),
            max_rate_age=timedelta(seconds=desk.strategy.max_rate_age_s),
            source=known(signal.source),
            volatility=known(desk.shared.atr),
            stats=known(account.stats),
            confidence=known(signal.confidence),
            confidence_scale=self.follow.confidence_scale,
        )

    def _money(self, amount: Decimal) -> Money:
        return Money(amount=amount, currency=self.account.currency)


def _sizing_limits(limits: Limits) -> SizingLimits:
    most, percent, quantity = limits.max_leverage, limits.max_risk_percent, limits.max_quantity
    return SizingLimits(max_leverage=most, max_risk_percent=percent, max_quantity=quantity)
