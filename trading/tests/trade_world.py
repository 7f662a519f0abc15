"""A venue of one position, small enough to be checked by eye, on which trade management is driven look by look.

It fills at the prices it is given, charges by the lot, keeps one stop, and can refuse stops or fill exits in part. Its
books are the fills that it has told, settled as everybody's are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import ONE, Currency, Ratio
from mikrobot_platform.kernel.orders import FillReport, OrderState, Purpose
from mikrobot_platform.kernel.venues import Positions
from risk_management.catalogue import find
from trading.engine.deeds import Cancel, Close, Deed, MoveStop, PlaceStop
from trading.engine.management import manage
from trading.engine.management.plan import Plan
from trading.engine.management.position import Held, Market, OpenOrder, Tries
from trading.engine.settle import Booked, Charge, Settled, Trade, settle
from trading.engine.signal_facts import Quote

ZERO = Decimal(0)


def spec_of(symbol: str) -> InstrumentSpec:
    found = find(symbol)
    assert found is not None
    return found


def moment(text: str) -> datetime:
    """Read a time of UTC: 2026-03-13 20:59:00."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(kw_only=True)
class World:
    """One trade at one venue."""

    symbol: str
    side: Side
    stop: str
    plan: Plan = field(default_factory=Plan)
    fee: str = "3.50"  # a lot and way, in account money
    currency: str = "USD"
    rate: Callable[[Decimal], Ratio] = lambda _price: ONE  # to account money, at a price
    is_attached: bool = True  # the venue keeps the stop with the position; else it is an order
    refuses_stops: int = 0  # so many of the next ones
    fills_at_most: str = "1000"  # of one exit
    swap: str = "0"
    fills: list[Booked] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    waiting: list[OpenOrder] = field(default_factory=list)
    stop_now: Price | None = None
    exits: Tries = field(default_factory=Tries)
    stops: Tries = field(default_factory=Tries)
    best: Price | None = None

    @property
    def spec(self) -> InstrumentSpec:
        return spec_of(self.symbol)

    # What happens at the venue

    def open(self, at: str, quantity: str, price: str, *, is_protected: bool = True) -> None:
        """Fill a part of the entry."""
        self._fill(moment(at), "entry", Purpose.ENTRY, self.side, Decimal(quantity), Decimal(price))
        if is_protected:
            self.stop_now = Price(Decimal(self.stop))

    def look(
        self, at: str, bid: str, ask: str, *, atr: str | None = None, jumps: bool = False
    ) -> tuple[Deed, ...]:  # fmt: skip
        """Let the market move, the stop fill where it is reached, and management act; return what it did.

        A stop fills at its price, or where the market is when it `jumps` over it. Asked once more, management has
        nothing to add, unless an exit was filled in part or a stop was refused.
        """
        now, quote = moment(at), Quote(bid=Price(Decimal(bid)), ask=Price(Decimal(ask)), at=moment(at))
        market = Market(quote=quote, rate=self.rate(quote.entry(self.side.opposite)), atr=Decimal(atr) if atr else None)
        price = quote.entry(self.side.opposite)
        if self.is_open and self.stop_now is not None and (price - self.stop_now) * self.side.sign <= 0:
            self._fill(
                now, "stop", Purpose.STOP, self.side.opposite, self.trade.quantity, price if jumps else self.stop_now
            )
            self.stop_now = None
        done = manage(self.held, market, self.plan, now=now)
        assert done == manage(self.held, market, self.plan, now=now), "the same facts, the same deeds"
        filled_in_part, refused = False, self.stops.refused
        for deed in done:
            filled_in_part |= self._carry_out(deed, now, price)
        self.deeds += done
        if self.best is None or (price - self.best) * self.side.sign > 0:
            self.best = price
        if not filled_in_part and refused == self.stops.refused:
            again = manage(self.held, market, self.plan, now=now)
            assert all(isinstance(deed, Cancel) for deed in again), again
        return done

    def _carry_out(self, deed: Deed, now: datetime, price: Price) -> bool:
        """Do what is asked, once for every client id; tell whether an exit was filled in part."""
        match deed:
            case Close():
                assert deed.client_id not in {one.fill.client_id for one in self.fills}
                assert deed.quantity <= self.trade.quantity
                quantity = min(deed.quantity, Decimal(self.fills_at_most))
                self._fill(now, deed.client_id, Purpose.EXIT, deed.side, quantity, price)
                self.exits = replace(self.exits, made=self.exits.made + 1)
                if not self.is_open and self.is_attached:
                    self.stop_now = None
                return quantity < deed.quantity
            case PlaceStop():
                made = self.stops.made + 1
                if self.refuses_stops:
                    self.refuses_stops -= 1
                    self.stops = Tries(made=made, refused=self.stops.refused + 1, last_refused_at=now)
                else:
                    self.stops, self.stop_now = Tries(made=made), deed.price
            case MoveStop():
                assert self.stop_now is not None
                assert (deed.price - self.stop_now) * self.side.sign >= 0, "a stop never loosens"
                self.stop_now = deed.price
            case Cancel():
                self.waiting = [order for order in self.waiting if order.client_id != deed.order]
        return False

    def _fill(
        self, at: datetime, order: str, purpose: Purpose, side: Side, quantity: Decimal, price: Decimal
    ) -> None:  # fmt: skip
        fill = FillReport(
            id=f"f{len(self.fills)}", client_id=order, venue_order_id=order, symbol=self.symbol, side=side,
            quantity=Quantity(quantity), price=Price(price), fee=Decimal(self.fee) * quantity, profit=None,
            position_id="p1", at=at,
        )  # fmt: skip
        self.fills.append(Booked(fill=fill, rate=self.rate(price), purpose=purpose))

    # What the books say

    @property
    def settled(self) -> Settled:
        last = self.fills[-1].fill.at
        swap = Charge(id="s1", symbol=self.symbol, position_id="p1", amount=Decimal(self.swap), at=last)
        return settle(
            self.fills, specs={self.symbol: self.spec}, currency=Currency(self.currency), positions=Positions.HEDGED,
            charges=[swap] if Decimal(self.swap) else [], first_stops={"entry": Price(Decimal(self.stop))},
        )  # fmt: skip

    @property
    def trade(self) -> Trade:
        (trade,) = self.settled.trades
        return trade

    @property
    def is_open(self) -> bool:
        return self.trade.is_open

    @property
    def held(self) -> Held:
        """Show the position as management sees it."""
        trade, stop = self.trade, self.stop_now
        orders = list(self.waiting)
        if stop is not None and not self.is_attached:
            orders.append(
                OpenOrder(
                    client_id="stop", purpose=Purpose.STOP, state=OrderState.WORKING, pending=trade.quantity, price=stop
                )
            )
        return Held(
            id="p1", spec=self.spec, side=trade.side, currency=Currency(self.currency), entry=trade.entry,
            opened=trade.opened, quantity=trade.quantity, opened_at=trade.opened_at,
            first_stop=Price(Decimal(self.stop)), stop=stop or Price(Decimal(self.stop)),
            attached_stop=stop if self.is_attached else None, orders=tuple(orders), exits=self.exits, stops=self.stops,
            best=self.best, fees=trade.fees_in, swap=Decimal(self.swap),
        )  # fmt: skip

    @property
    def result(self) -> tuple[str, str]:
        """Return the net result to the cent, and its multiple of the risk."""
        trade = self.trade
        assert not trade.is_open
        return f"{trade.net:.2f}", f"{trade.r}"

    def codes(self) -> list[str]:
        return [deed.code.value for deed in self.deeds]
