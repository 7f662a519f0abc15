"""One account in front of the desk, with what the rules before have found. Nothing here decides.

There are two ways to count for an account, and one answer. The quick one (`QuickCase`) takes accounts of which the
figures that nearly every rule asks for are all there, and works with plain operators in a context that raises as soon
as a digit is lost (`LOSSLESS`); whoever meets that decides once more in the slow one (`Case`), which says of each step
how exact it must be, and finds out fact by fact what is missing.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_CEILING, Context, Decimal

from mikrobot_platform.kernel.decisions import Decision
from mikrobot_platform.kernel.money import EXACT, Money, Ratio, Within, exactly, rounded_up
from risk_management.compliance.account import Snapshot as Seen
from risk_management.compliance.room import Room, headroom
from risk_management.rules.desk import Desk, Settings, sizing_limits
from risk_management.rules.facts import AccountFacts, Firm, Holding, Missing, Snapshot, known
from risk_management.rules.floors import Floor
from risk_management.rules.kept import kept
from risk_management.rules.settings import Limits
from risk_management.sizing import AccountState, HalfKelly, Lot, Purse, Scale, SizingRequest, Wish, lot_of, wish_of

ZERO = Decimal(0)
UPWARDS, FINEST = Context(prec=60, rounding=ROUND_CEILING), Decimal("1e-10")


class Case(Settings):
    """One account, fact by fact and step by step."""

    lot: Lot  # from the sizing rule on

    def __init__(self, desk: Desk, account: AccountFacts) -> None:
        super().__init__(desk, account)
        self.account = account
        self.quantity = self.risk = self.worth = ZERO
        self.bound = ""
        self.floors: list[Floor] = []

    @kept
    def limits(self) -> Limits:
        """Return what the customer allows."""
        return known(self.account.limits)

    @kept
    def firm(self) -> Firm | None:
        """Return the firm's side; None for an account of no firm."""
        return known(self.account.firm)

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

    @kept
    def rooms(self) -> tuple[Room, ...]:
        """Return what the program's limits leave."""
        firm, program = self.firm, self.program
        if firm is None or program is None:
            return ()
        seen = Seen(at=self.now, balance=self.balance, equity=self.equity)
        with Within(self.desk.usual):
            return headroom(known(firm.state), seen, program, self.now)

    def cut(self, quantity: Decimal, bound: str) -> None:
        """Take a smaller quantity, and what it risks."""
        self.quantity, self.bound, self.risk = quantity, bound, self.costing(self.lot.loss, quantity)
        self.worth = self.costing(self.lot.notional, quantity)

    def costing(self, per_lot: Ratio, quantity: Decimal) -> Decimal:
        """Return what a quantity takes of something, exactly, or rounded up where it has no end."""
        return self.divided(EXACT.multiply(per_lot.top, quantity), per_lot.bottom)

    def divided(self, amount: Decimal, among: Decimal) -> Decimal:
        """Return an amount by something, exactly where that is one, or rounded up where it has no end."""
        return amount if among == 1 else self.rounded_up(amount, among, FINEST)

    def rounded_up(self, top: Decimal, bottom: Decimal, grid: Decimal) -> Decimal:
        """Divide, and round up to a grid."""
        return UPWARDS.quantize(UPWARDS.divide(top, bottom), grid)

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

    def measured_lot(self) -> Lot | Decision:
        """Measure one lot for all accounts of the same currency and commission, to the last zero of its text."""
        commission, rate = self.terms.commission, str(self.terms.commission_rate)
        charged = None if commission is None else (str(commission.amount), commission.currency)
        return self.desk.once((self.currency, charged, rate), lambda: lot_of(self.sizing_request()))

    def wish(self, lot: Lot) -> Wish | Decision:
        """Say what a follow asks for, once for all that ask for the same; Kelly's formula asks each for its record."""
        mode, scale = self.follow.mode, self.follow.confidence_scale
        if isinstance(mode, HalfKelly):
            return wish_of(self.sizing_request(), lot)
        key = (mode.words, id(scale), id(lot), self.limits.max_risk_percent is None)  # the words hold all that is set
        return self.desk.once(key, lambda: (scale, wish_of(self.sizing_request(), lot)))[1]

    def scale(self) -> Scale | Decision:
        """Return what turns the account's figures into lots, or why nothing does."""
        desk, lot = self.desk, self.measured_lot()
        if isinstance(lot, Decision):
            return lot
        known(self.purse)
        wish = self.wish(lot)
        return wish if isinstance(wish, Decision) else Scale(wish, lot, desk.sizing_limits_of(self.limits), desk.spec)

    def quantities(self, scale: Scale) -> list[Decimal]:
        """Count the lots that each cap lets through."""
        with exactly():
            return scale.quantities(self.purse)

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
            limits=sizing_limits(self.limits),
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
        return Money(amount=amount, currency=self.currency)


class QuickCase(Case):
    """One account of which nearly everything is known, counted by plain operators in `LOSSLESS`."""

    def __init__(self, settings: Settings, account: AccountFacts, snapshot: Snapshot) -> None:
        self.desk = settings.desk
        self.now, self.currency = self.desk.now, account.currency
        self.settings, self.account, self._facts = settings, account, account
        self.quantity = self.risk = self.worth = ZERO
        self.bound = ""
        self.floors = []
        self.follow, self.terms, self.program = settings.follow, settings.terms, settings.program
        self.limits, self.firm, self.snapshot = known(account.limits), known(account.firm), snapshot
        positions, orders = known(account.positions), known(account.orders)
        self.holdings = positions + orders if orders else positions
        self.balance = balance = known(snapshot.balance)
        told, summed = known(snapshot.equity), balance + known(snapshot.floating)
        self.equity = told if told <= summed else summed

    def costing(self, per_lot: Ratio, quantity: Decimal) -> Decimal:
        """Return what a quantity takes of something, exactly, or rounded up where it has no end."""
        taken, bottom = per_lot.top * quantity, per_lot.bottom
        return taken if bottom == 1 else rounded_up(taken, bottom, FINEST)

    def rounded_up(self, top: Decimal, bottom: Decimal, grid: Decimal) -> Decimal:
        """Divide, and round up to a grid."""
        return rounded_up(top, bottom, grid)

    def scale(self) -> Scale | Decision:
        """Return the scale of all accounts that have set the same; of half Kelly each has its own."""
        limits, scales = self.limits, self.settings.scales
        key = limits.max_leverage, limits.max_risk_percent, limits.max_quantity
        found = scales.get(key)
        if found is None:
            with Within(self.desk.usual):
                found = super().scale()
            if not isinstance(self.follow.mode, HalfKelly):
                scales[key] = found
        return found

    def quantities(self, scale: Scale) -> list[Decimal]:
        """Count the lots that each cap lets through."""
        return scale.quantities(self.purse)


def case_of(settings: Settings, account: AccountFacts) -> QuickCase | None:
    """Take an account the quick way, if what nearly every rule asks for is known."""
    money = account.snapshot
    if (
        isinstance(money, Missing) or type(money.balance) is Missing or type(money.equity) is Missing
        or type(money.floating) is Missing or type(money.margin_used) is Missing or type(account.stats) is Missing
        or type(account.positions) is Missing or type(account.orders) is Missing or not settings.are_known
    ):  # fmt: skip
        return None
    return QuickCase(settings, account, money)
