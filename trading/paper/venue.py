"""What the paper venue does for its accounts. No sockets, no waiting: a request and a time go in, JSON comes out.

Whatever is changed is put into the ledger; who calls commits it before anybody hears of it.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.market import Price
from mikrobot_platform.kernel.money import CurrencyUnknown, currency
from mikrobot_platform.kernel.orders import AccountReport, OrderChange, OrderRequest, PositionReport
from trading.engine.matching.bars import on_bar
from trading.engine.matching.book import Book, Outcome, Position
from trading.engine.matching.market import Bar, Market, Quote
from trading.engine.matching.orders import NotAccepted, cancel, modify, place, protect, refuse
from trading.engine.matching.quiet import Band, bands
from trading.engine.matching.steps import on_quote
from trading.engine.matching.terms import Terms
from trading.engine.matching.valuation import RateMissing, account_report, position_report
from trading.paper.faults import Fault, Kind
from trading.paper.ledger import Ledger, Stored, fill_codec, order_codec
from trading.paper.prices import Prices, Thin

request_codec = plain.codec(OrderRequest)
change_codec = plain.codec(OrderChange)
position_codec = plain.codec(PositionReport)
account_codec = plain.codec(AccountReport)
quote_codec = plain.codec(Quote)
terms_codec = plain.codec(Terms)

log = logging.getLogger(__name__)

SET_PRICE = "price:"
QUIET = timedelta(seconds=10)  # how long a band is believed, at least
PAUSE_AFTER = 200


class Refused(Exception):
    """Raised when the venue says no."""

    def __init__(self, code: str, reason: str = "") -> None:
        super().__init__(f"{code}: {reason}")
        self.code, self.reason = code, reason


@dataclass(slots=True)
class Account:
    """An account in memory: as the ledger has it, or will have it with the next commit."""

    number: int
    name: str
    token: bytes  # digest
    book: Book
    quiet: Mapping[str, Band] = field(default_factory=dict)  # which prices need not be asked about


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What somebody who listens is told: JSON, and of which kind."""

    account: Account
    kind: str
    text: str


def digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "replace")).digest()


class Venue:
    """Keep the accounts, carry out what they ask, move prices."""

    def __init__(self, ledger: Ledger, prices: Prices, *, balance: Decimal, terms: Terms) -> None:
        self._ledger, self._prices = ledger, prices
        self._balance, self._terms = balance, terms
        self._accounts = {stored.name: _account(stored) for stored in ledger.accounts()}
        self._interested: dict[str, dict[int, Account]] = {}
        self.news: list[News] = []
        self.hears: Callable[[Account], bool] = lambda account: False
        for account in self._accounts.values():
            self._note_interest(account, set())
        for text in ledger.facts(SET_PRICE).values():
            prices.put(plain.read(Quote, text))

    # --- accounts ---
    def sign_in(self, name: str, token: str, told: Mapping[str, str]) -> Account:
        """Let the holder of the token in; the first who comes opens the account with a token of their own."""
        account = self._accounts.get(name)
        if account is None:
            balance = told.get("balance")
            terms = replace(self._terms, currency=_currency(told.get("currency", self._terms.currency)))
            if "positions" in told:
                terms = replace(terms, is_hedged=told["positions"] == "hedged")
            return self.open(name, token, balance=Decimal(balance) if balance else self._balance, terms=terms)
        if not hmac.compare_digest(account.token, digest(token)):
            raise Refused("access_denied", "the access token is not that of this account")
        return account

    def open(self, name: str, token: str, *, balance: Decimal, terms: Terms) -> Account:
        """Open an account."""
        if not name or not token:
            raise Refused("access_denied", "an account has a name and an access token")
        if name in self._accounts:
            raise Refused("account_exists", f"{name} is there already")
        book = Book(number=len(self._accounts) + 1, terms=terms, balance=balance)
        account = Account(book.number, name, digest(token), book)
        self._accounts[name] = account
        self._ledger.open_account(name, account.token, book)
        return account

    def accounts(self) -> list[Account]:
        return list(self._accounts.values())

    # --- what accounts ask ---
    def answer(self, account: Account, asked: Mapping[str, Any], *, now: datetime, fault: Fault | None = None) -> str:
        """Do what an account asks."""
        do = asked["do"]
        if do == "place":
            return self._place(account, asked["request"], now, fault)
        if do not in _ASKS:
            raise Refused("unknown_request", str(do))
        try:
            return _ASKS[do](self, account, asked, now)
        except NotAccepted as no:
            raise Refused(no.code, no.reason) from None
        except RateMissing as missing:
            raise Refused("rate_missing", f"nobody knows {missing}") from None

    def _place(self, account: Account, told: Any, now: datetime, fault: Fault | None) -> str:
        request: OrderRequest = request_codec.read(told)
        if fault is not None and fault.kind is Kind.REJECT:
            outcome = refuse(account.book, request, fault.code, "as a drill asked for", now=now)
        else:
            market: Market = self._prices
            if fault is not None and fault.kind is Kind.PARTIAL:
                market = Thin(self._prices, lambda spec: max(spec.lot_min, _half(request.quantity, spec.lot_step)))
            outcome = place(account.book, request, market, now=now)
        return self._keep(account, outcome)[0]

    def _cancel(self, account: Account, asked: Mapping[str, Any], now: datetime) -> str:
        """Cancel every order that waits under a client id, or under an id of ours."""
        name = asked["order"]
        waiting = _waiting(account, name)
        for order_id in waiting:
            self._keep(account, cancel(account.book, order_id, self._prices, now=now))
        found = self._ledger.order(account.number, waiting[-1]) if waiting else self._find(account, name)
        if found is None:
            raise Refused("order_unknown", f"there is no order {name}")
        return found

    def _modify(self, account: Account, asked: Mapping[str, Any], now: datetime) -> str:
        """Change the first order that waits under a client id, or under an id of ours."""
        waiting = _waiting(account, asked["order"])
        if not waiting:
            raise Refused("not_working", f"no order {asked['order']} waits")
        change = change_codec.read(asked["change"])
        outcome = modify(account.book, waiting[0], change, self._prices, now=now)
        self._keep(account, outcome)
        return order_codec.write(next(order for order in outcome.orders if order.venue_order_id == waiting[0]))

    def _protect(self, account: Account, asked: Mapping[str, Any], now: datetime) -> str:
        position_id = asked["position"]
        self._keep(
            account, protect(account.book, position_id, change_codec.read(asked["change"]), self._prices, now=now)
        )
        held = next(held for held in account.book.positions if held.id == position_id)
        return self._position(account, held, now)

    def _find(self, account: Account, name: str) -> str | None:
        """Find an order by client id or by an id of ours; of several with one client id, the first."""
        found = self._ledger.orders(account.number, name)
        if found:
            return found[0]
        return self._ledger.order(account.number, name)

    def _look(self, account: Account, asked: Mapping[str, Any], now: datetime) -> str:
        """Answer what changes nothing."""
        match asked["do"]:
            case "order":
                return self._find(account, asked["order"]) or "null"
            case "working":
                found = (self._ledger.order(account.number, order.id) for order in account.book.orders)
                return _list(text for text in found if text)
            case "positions":
                return _list(self._position(account, held, now) for held in account.book.positions)
            case "fills":
                return _list(self._ledger.fills(account.number, datetime.fromisoformat(asked["since"])))
            case "quote":
                return self._quote(asked["symbol"], now)
            case _:
                return self._money(account, now)

    def _money(self, account: Account, now: datetime) -> str:
        return account_codec.write(account_report(account.book, self._prices, now=now))

    def _quote(self, symbol: str, now: datetime) -> str:
        found = self._prices.quote(symbol)
        return "null" if found is None else quote_codec.write(replace(found, at=now))

    # --- prices ---
    def set_price(self, quote: Quote) -> None:
        """Set a price, and carry out what it triggers in every account."""
        self._prices.put(quote)
        self._ledger.put_fact(SET_PRICE + quote.symbol, quote_codec.write(quote))
        for _pause in self._step(quote):
            pass

    def bar(self, bar: Bar) -> None:
        """Let a whole bar go by in every account; its closing price stays."""
        for account in list(self._interested.get(bar.symbol, {}).values()):
            outcome = on_bar(account.book, bar, self._prices)
            if outcome.book != account.book:
                self._keep(account, outcome)
        self._prices.put(bar.closing)
        self._ledger.put_fact(SET_PRICE + bar.symbol, quote_codec.write(bar.closing))

    def let_go(self, symbol: str) -> None:
        self._prices.let_go(symbol)
        self._ledger.drop_fact(SET_PRICE + symbol)

    def tick(self, *, still: bool = False) -> Iterator[None]:
        """Step what matters to somebody to its price of now, of prices that stand still only if asked to.

        Pauses after every few accounts.
        """
        for symbol, interested in list(self._interested.items()):
            quote = self._prices.quote(symbol) if interested else None
            if quote is not None and (still or self._prices.moves(symbol)):
                yield from self._step(replace(quote, at=self._prices.now))

    def _step(self, quote: Quote) -> Iterator[None]:
        stepped = 0
        for account in list(self._interested.get(quote.symbol, {}).values()):
            band = account.quiet.get(quote.symbol)
            if band is not None and band.holds(quote):
                continue
            try:
                outcome = on_quote(account.book, quote, self._prices)
            except Exception:
                # One book that cannot be worked on must not stop the market for everybody.
                log.exception("a price could not be brought to an account", extra={"number": account.number})
                continue
            if outcome.book != account.book:
                self._keep(account, outcome)
            # Not all in the same second: the number spreads them.
            until = self._prices.now + QUIET * (100 + account.number % 100) / 100
            account.quiet = bands(account.book, self._prices, until=until)
            stepped += 1
            if stepped % PAUSE_AFTER == 0:
                yield

    # --- what follows ---
    def _keep(self, account: Account, outcome: Outcome) -> list[str]:
        """Make what was done the state of the account; give the text of its order reports."""
        before = account.book
        account.book, account.quiet = outcome.book, {}
        texts = self._ledger.put(outcome)
        self._note_interest(account, before.symbols)
        if self.hears(account):
            self._tell(account, outcome, {held.id: held for held in before.positions})
        return texts

    def _note_interest(self, account: Account, before: set[str]) -> None:
        after = account.book.symbols
        for symbol in before - after:
            self._interested[symbol].pop(account.number, None)
        for symbol in after - before:
            self._interested.setdefault(symbol, {})[account.number] = account

    def _tell(self, account: Account, outcome: Outcome, before: Mapping[str, Position]) -> None:
        self.news += [News(account=account, kind="order", text=order_codec.write(order)) for order in outcome.orders]
        self.news += [News(account=account, kind="fill", text=fill_codec.write(fill)) for fill in outcome.fills]
        now = self._prices.now
        changed = [held for held in outcome.book.positions if before.get(held.id) != held]
        self.news += [
            News(account=account, kind="position", text=self._position(account, held, now)) for held in changed
        ]
        if outcome.fills:
            self.news.append(News(account=account, kind="account", text=self._money(account, now)))

    def _position(self, account: Account, held: Position, now: datetime) -> str:
        return position_codec.write(position_report(held, account.book, self._prices, now=now))


def _account(stored: Stored) -> Account:
    return Account(stored.number, stored.name, stored.token, stored.book)


def _currency(code: str) -> Any:
    try:
        return currency(code)
    except CurrencyUnknown as error:
        raise Refused("currency_unknown", str(error)) from None


def _half(quantity: Decimal, step: Decimal) -> Decimal:
    return quantity / 2 // step * step


def _list(texts: Any) -> str:
    return f"[{','.join(texts)}]"


def _waiting(account: Account, name: str) -> list[str]:
    return [order.id for order in account.book.orders if name in (order.request.client_id, order.id)]


_ASKS: Mapping[str, Callable[[Venue, Account, Mapping[str, Any], datetime], str]] = {
    "cancel": Venue._cancel,
    "modify": Venue._modify,
    "protect": Venue._protect,
    **dict.fromkeys(("order", "working", "positions", "fills", "quote", "account"), Venue._look),
}


def quote_of(symbol: str, bid: str, ask: str, at: datetime, *, size: str = "") -> Quote:
    """Read a quote from text."""
    most = Decimal(size) if size else None
    return Quote(symbol=symbol, bid=Price(Decimal(bid)), ask=Price(Decimal(ask)), at=at, bid_size=most, ask_size=most)
