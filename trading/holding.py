"""What accounts hold by our own books, as the engine looks at it: for management a position each, for reconciliation
all of an account. Read for many accounts with one query a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import Q, Sum

from accounts.models import TradingAccount
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import Currency, Ratio
from mikrobot_platform.kernel.orders import OrderState, Purpose
from risk_management import catalogue
from trading.desk import Door
from trading.engine.drift import OurOrder, OurPosition, Ours
from trading.engine.management.position import Held, OpenOrder, Tries
from trading.engine.signal_facts import UNKNOWN
from trading.folding import bare
from trading.models import Fill, Order, Position, PositionState, VenueLink

_ZERO = Decimal(0)
OPEN_STATES = [state.value for state in OrderState if not state.is_final]
LATELY = timedelta(minutes=1)  # longer than any settle window: what ended within it may not have been seen everywhere
OF_TODAY = timedelta(days=1)


@dataclass(slots=True)
class Books:
    """One account's open positions and the orders that matter to them."""

    door: Door
    currency: Currency
    link: VenueLink | None = None
    positions: list[Position] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    settled: Mapping[str, Decimal] = field(default_factory=dict)  # client id -> quantity of the fills that are kept

    def orders_for(self, position: Position) -> list[Order]:
        """List the orders that were made for a position, oldest first; an exit of an emergency names no row of ours."""
        return [
            order
            for order in self.orders
            if order.position_id == position.pk
            or (
                order.position_id is None
                and order.purpose == Purpose.EXIT
                and order.venue_symbol == position.venue_symbol
                and order.venue_position in ("", position.venue_position_id)
            )
        ]

    def held(self, position: Position) -> Held | None:
        """Show a position to management; None for one whose instrument is not known."""
        spec = catalogue.find(position.symbol)
        if spec is None:
            return None
        orders = self.orders_for(position)
        attached = UNKNOWN if position.seen_at is None else _price(position.stop)
        stops = _tries(orders, Purpose.STOP)
        return Held(
            id=str(position.pk), spec=spec, side=Side(position.side), currency=self.currency,
            entry=Ratio(bare(position.entry)), opened=Quantity(bare(position.opened)),
            quantity=Quantity(bare(position.quantity)), opened_at=position.opened_at,
            first_stop=_price(position.first_stop), stop=_price(position.wanted_stop), attached_stop=attached,
            orders=tuple(one for order in orders if (one := self._open_order(order)) is not None),
            exits=_tries(orders, Purpose.EXIT),
            stops=Tries(
                made=stops.made + position.stops_made, refused=stops.refused + position.stops_refused,
                last_refused_at=position.stop_refused_at or stops.last_refused_at,
            ),
            best=_price(position.best), fees=bare(position.entry_fees),
            swap=_ZERO if position.swap is None else bare(position.swap),
        )  # fmt: skip

    def _open_order(self, order: Order) -> OpenOrder | None:
        state = OrderState(order.state)
        filled = order.filled if state.is_final else order.quantity
        pending = max(_ZERO, filled - self.settled.get(order.client_id, _ZERO))
        if state.is_final and not pending:
            return None
        return OpenOrder(
            client_id=order.client_id, purpose=Purpose(order.purpose), state=state, pending=Quantity(bare(pending)),
            price=_price(order.stop if order.purpose == Purpose.STOP else order.limit),
        )  # fmt: skip

    def ours(self, known: Iterable[str]) -> Ours:
        """Show the account to reconciliation."""
        exits: dict[str, int] = defaultdict(int)
        for order in self.orders:
            if order.purpose == Purpose.EXIT:
                exits[_about(order)] += 1
        openers = {
            order.position_id: order.client_id for order in self.orders if order.purpose == Purpose.ENTRY
        }  # fmt: skip
        return Ours(
            orders=tuple(_our_order(order) for order in self.orders if order.sent_at is not None),
            positions=tuple(
                OurPosition(
                    id=str(one.pk), venue_id=one.venue_position_id, symbol=one.venue_symbol, side=Side(one.side),
                    quantity=Quantity(bare(one.quantity)), stop=_price(one.wanted_stop),
                    opened_by=openers.get(one.pk, ""), changed_at=self._changed_at(one),
                )
                for one in self.positions
            ),
            known=frozenset(known),
            exits_made=dict(exits),
            stops_made={str(one.pk): one.stops_made for one in self.positions},
        )  # fmt: skip

    def _changed_at(self, position: Position) -> datetime:
        times = [order.changed_at for order in self.orders_for(position) if order.changed_at]
        return max([position.opened_at, *times])


def load(doors: Sequence[Door], *, now: datetime) -> dict[UUID, Books]:
    """Read the books of accounts. The caller stands in the scope that carries orders."""
    owners, ids = {door.organization_id for door in doors}, [door.account_id for door in doors]
    rows = TradingAccount.objects.filter(organization_id__in=owners, pk__in=ids).values_list("pk", "currency")
    currencies = dict(rows)
    found = {
        door.account_id: Books(door, Currency(currencies[door.account_id]))
        for door in doors
        if door.account_id in currencies
    }
    for link in VenueLink.objects.filter(organization_id__in=owners, account_id__in=ids):
        found[link.account_id].link = link
    open_ = Position.objects.filter(organization_id__in=owners, account_id__in=ids, state=PositionState.OPEN)
    for position in open_.order_by("opened_at", "pk"):
        found[position.account_id].positions.append(position)
    held = [one.pk for books in found.values() for one in books.positions]
    for order in _orders(owners, ids, held, now):
        found[order.account_id].orders.append(order)
    names = [order.client_id for books in found.values() for order in books.orders]
    sums = Fill.objects.filter(organization_id__in=owners, client_id__in=names).values_list("account_id", "client_id")
    settled: dict[UUID, dict[str, Decimal]] = defaultdict(dict)
    for account, client_id, total in sums.annotate(total=Sum("quantity")):
        settled[account][client_id] = total
    for account, books in found.items():
        books.settled = settled[account]
    return found


def _orders(owners: set[UUID], ids: Sequence[UUID], held: Sequence[UUID], now: datetime) -> list[Order]:
    """List the orders that are not over, those that ended lately, and all of the positions that are held."""
    at_venue = Q(account_id__in=ids, state__in=OPEN_STATES)
    lately = Q(account_id__in=ids, decided_at__gte=now - OF_TODAY, changed_at__gte=now - LATELY)
    rows = Order.objects.filter(organization_id__in=owners).filter(at_venue | lately | Q(position_id__in=held))
    return list(rows.order_by("decided_at", "pk"))


def _our_order(order: Order) -> OurOrder:
    assert order.sent_at is not None
    return OurOrder(
        client_id=order.client_id, symbol=order.venue_symbol, side=Side(order.side), purpose=Purpose(order.purpose),
        state=OrderState(order.state), quantity=Quantity(bare(order.quantity)), filled=bare(order.filled),
        sent_at=order.sent_at, changed_at=max(order.sent_at, order.changed_at or order.sent_at),
        stop=_price(order.stop), position=_about(order),
    )  # fmt: skip


def _about(order: Order) -> str:
    return str(order.position_id) if order.position_id else order.venue_position


def _tries(orders: Sequence[Order], purpose: Purpose) -> Tries:
    """Count what was made for one thing, and how often in a row it was refused lately."""
    made = [order for order in orders if order.purpose == purpose and order.position_id is not None]
    refused = 0
    for order in reversed(made):
        if order.state != OrderState.REFUSED:
            break
        refused += 1
    last = made[-1].changed_at if refused else None
    return Tries(made=len(made), refused=refused, last_refused_at=last)


def _price(value: Decimal | None) -> Price | None:
    return None if value is None else Price(bare(value))
