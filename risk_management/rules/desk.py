"""One signal made ready for many accounts (`Desk`), and what accounts have set (`Settings`).

What depends on the signal alone, or on the signal and a currency or a program, is worked out once and kept on the desk.
Nothing here decides; a fact that is missing leaves the rule that asks for it (`facts.known`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal, getcontext
from operator import attrgetter
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.decisions import Decision
from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Side
from mikrobot_platform.kernel.money import Within
from mikrobot_platform.kernel.signals import OrderKind
from risk_management.compliance.clock import FlatBy
from risk_management.compliance.policy import Stance, stance
from risk_management.compliance.program import Axis, Program
from risk_management.rules.facts import (
    AccountFacts,
    Entitlement,
    Firm,
    Lacking,
    Missing,
    Quote,
    Shared,
    Switch,
    Terms,
    known,
)
from risk_management.rules.kept import kept
from risk_management.rules.settings import Follow, Hours, Limits, Strategy
from risk_management.sizing import Costs, Scale, SizingLimits

T = TypeVar("T")


class Desk:
    """A signal, everything that its accounts share, and what was worked out for the ones before."""

    def __init__(self, shared: Shared, now: datetime) -> None:
        self.shared, self.signal, self.now = shared, shared.signal, now
        self._kept: dict[object, object] = {}
        self.usual = getcontext()  # what is worked out for all is not worked out as strictly as an account is
        self._settings: dict[object, Settings] = {}
        self._alive: list[object] = []  # whose ids are keys

    def once(self, key: object, work: Callable[[], T]) -> T:
        """Work something out for the first account that needs it, and keep it for the others."""
        found = self._kept.get(key)
        if found is None:
            with Within(self.usual):
                found = self._kept[key] = work()
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
        return self.once((SizingLimits, most, percent, quantity), lambda: sizing_limits(limits))

    def settings_of(self, account: AccountFacts) -> Settings | None:
        """Return what an account has set, one object for all that have set the same; None where limits are missing.

        Settings that are one object are the same; else those are that are written in the same way.
        """
        limits, firm = account.limits, account.firm
        if isinstance(limits, Missing):
            return None
        conditions = _conditions(limits)
        key = (
            id(account.follow), id(account.entitlement), id(account.terms), account.currency,
            id(account.account_stop), id(account.organization_stop),
            firm if firm is None or isinstance(firm, Missing) else (firm.program, firm.uses),
            None if conditions == NO_CONDITIONS else repr(conditions),
        )  # fmt: skip
        found = self._settings.get(key)
        if found is None:
            written = tuple([write(part) for write, part in zip(_WRITERS, _PARTS(account), strict=True)])
            found = self._settings.get((written, key[6:]))
            if found is None:
                found = self._settings[written, key[6:]] = Settings(self, account)
            self._settings[key] = found
            self._alive.append(account)
        return found


class Conditions(NamedTuple):
    """What a customer's limits say of the market and the hour, and not of the account's money."""

    max_spread: Decimal | None
    max_slippage: Decimal | None
    hours: Hours | None
    news_before_min: int | None
    news_after_min: int | None
    flat_by: FlatBy | None


_conditions = attrgetter(*Conditions._fields)
NO_CONDITIONS = (None,) * len(Conditions._fields)
_PARTS = attrgetter("follow", "entitlement", "terms", "currency", "account_stop", "organization_stop")
_WRITERS = [
    plain.codec(hint).write
    for hint in (
        Follow | Missing, Entitlement | Missing, Terms | Missing, str, Switch | Missing | None, Switch | Missing | None
    )
]  # fmt: skip


class Settings:
    """What is set for an account: by its customer, its venue, its plan and its firm. Nothing here is about its money.

    Rules that look at nothing else are asked once for all accounts that have set the same (`Gate`).
    """

    def __init__(self, desk: Desk, account: AccountFacts) -> None:
        self.desk, self.now, self._facts = desk, desk.now, account
        self.currency = account.currency
        self.scales: dict[object, Scale | Decision] = {}  # by the limits of one trade

    @kept
    def follow(self) -> Follow:
        """Return how the customer follows the strategy."""
        return known(self._facts.follow)

    @kept
    def conditions(self) -> Conditions:
        """Return what the customer's limits say of the market and the hour."""
        return Conditions(*_conditions(known(self._facts.limits)))

    @kept
    def entitlement(self) -> Entitlement:
        """Return what the organization has paid for."""
        return known(self._facts.entitlement)

    @kept
    def account_stop(self) -> Switch | Missing | None:
        """Return the switch of the account."""
        return self._facts.account_stop

    @kept
    def organization_stop(self) -> Switch | Missing | None:
        """Return the switch of the organization."""
        return self._facts.organization_stop

    @kept
    def terms(self) -> Terms:
        """Return what the venue asks of the account."""
        return known(self._facts.terms)

    @kept
    def program(self) -> Program | None:
        """Return the program that the account is under; None for an account of no firm, or of an unknown program."""
        programs, firm = known(self.desk.shared.programs), known(self._facts.firm)
        key = None if firm is None else known(firm.program)
        return None if key is None else known(programs.get(key, Missing(f"the program {key}")))

    @kept
    def stance(self) -> Stance | None:
        """Return what the firm lets be done for the account; None for an account of no firm."""
        firm: Firm | None = known(self._facts.firm)
        if firm is None:
            return None
        return self.desk.stance_of(known(firm.program), self.program, known(firm.uses))

    @kept
    def are_known(self) -> bool:
        """Tell whether follow, terms and program are known."""
        try:
            known(self._facts.firm)
            return all(part is not None for part in (self.follow, self.terms, self.conditions, self.program is None))
        except Lacking:
            return False


def sizing_limits(limits: Limits) -> SizingLimits:
    """Take from a customer's limits those that sizing knows."""
    most, percent, quantity = limits.max_leverage, limits.max_risk_percent, limits.max_quantity
    return SizingLimits(max_leverage=most, max_risk_percent=percent, max_quantity=quantity)
