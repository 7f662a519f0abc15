"""A market and an account for the tests of the gate: prices jump anywhere, and stops and targets are filled at theirs.

The account knows nothing of the gate. Its own floors are counted here from what happened, with other words than there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from types import MappingProxyType
from zoneinfo import ZoneInfo

from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import money
from risk_management.compliance.account import AccountState, DayTurned, Opened, Settled, Snapshot, opened
from risk_management.compliance.floors import advance
from risk_management.compliance.program import Permission, Program
from risk_management.rules import decide
from risk_management.rules.evaluation import Ruled
from risk_management.rules.facts import Holding
from risk_management.rules.settings import Limits, Trail, Trailing
from risk_management.sizing import FixedMoney
from risk_management.tests.gate_facts import EURUSD, account, d, own, shared

SYMBOLS = ("EURUSD", "GBPUSD", "AUDUSD")
ZONE = ZoneInfo("Europe/Helsinki")
KEY, LOT, SPREAD, TICK = "the program", Decimal(100_000), d("0.00010"), timedelta(milliseconds=1)


def permissive(program: Program) -> Program:
    """Let orders out of a program whose floors are to be tried; nothing else of it changes the floors."""
    policy = {axis: replace(stand, permission=Permission.ALLOWED) for axis, stand in program.policy.items()}
    return replace(
        program, policy=MappingProxyType(policy), flat_by=None, rest=None, news=(), tiers=(), max_minis=None,
        daily_loss=program.daily_loss if program.daily_loss and program.daily_loss.amount else None,
    )  # fmt: skip


@dataclass
class Position:
    symbol: str
    side: Side
    quantity: Decimal
    entry: Decimal
    stop: Decimal
    target: Decimal | None

    def worth(self, price: Decimal) -> Decimal:
        return (price - self.entry) * self.side.sign * self.quantity * LOT


@dataclass
class World:
    """One life: what the account holds, what the firm's side has seen, and the customer's own floors."""

    random: Random
    program: Program | None
    limits: Limits
    now: datetime
    balance: Decimal
    commission: Decimal
    state: AccountState | None = None
    number: int = 0
    prices: dict[str, Decimal] = field(default_factory=lambda: {symbol: d("1.20000") for symbol in SYMBOLS})
    open: list[Position] = field(default_factory=list)
    starts: dict[str, Decimal] = field(default_factory=dict)  # the balance at the beginning of day, week and month
    peak_close: Decimal = Decimal(0)
    peak_equity: Decimal = Decimal(0)
    taken: int = 0
    crossed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = None if self.program is None else opened(self.program, at=self.now)
        self.starts = dict.fromkeys(("day", "week", "month"), self.balance)
        self.peak_close = self.peak_equity = self.balance

    @property
    def equity(self) -> Decimal:
        return self.balance + sum((held.worth(self.price(held)) for held in self.open), Decimal(0))

    def price(self, held: Position) -> Decimal:
        """Return where a position would be closed: prices are bids."""
        bid = self.prices[held.symbol]
        return bid if held.side is Side.BUY else bid + SPREAD

    # What happens

    def look(self) -> None:
        """See the account at this instant, and note every floor that it is under."""
        self.now += TICK
        equity = self.equity
        if self.program is not None and self.state is not None:
            seen = Snapshot(at=self.now, balance=self.balance, equity=equity)
            self.state = advance(self.state, seen, self.program)
            self.crossed += [f"the firm's {breach.limit}" for breach in self.state.breaches]
        limits, self.peak_equity = self.limits, max(self.peak_equity, equity)
        floors = {
            period: self.starts[period] - limit
            for period, limit in (("day", limits.day_loss), ("week", limits.week_loss), ("month", limits.month_loss))
            if limit is not None
        }
        if limits.least_equity is not None:
            floors["least"] = limits.least_equity
        if (trail := limits.trail) is not None:
            peak = self.peak_close if trail.follows is Trailing.CLOSED_DAYS else self.peak_equity
            floors["trail"] = min(peak - trail.amount, trail.lock or peak)
        self.crossed += [name for name, floor in floors.items() if equity < floor + limits.buffer]

    def move(self, symbol: str, to: Decimal) -> None:
        """Move a price all the way, and fill every stop and target that it passes where it stands."""
        while True:
            start = self.prices[symbol]
            ahead = [
                (abs(level - start), level, held)
                for held in self.open
                if held.symbol == symbol
                for level in self._levels(held)
                if min(start, to) <= level <= max(start, to)
            ]
            if not ahead:
                break
            _, level, held = min(ahead, key=lambda found: found[0])
            self.prices[symbol] = level
            self.look()
            self.close(held)
        self.prices[symbol] = to
        self.look()

    def _levels(self, held: Position) -> list[Decimal]:
        """Return the bids at which a position ends."""
        ends = [held.stop] if held.target is None else [held.stop, held.target]
        return ends if held.side is Side.BUY else [end - SPREAD for end in ends]

    def close(self, held: Position) -> None:
        self.open.remove(held)
        profit = held.worth(self.price(held))
        self.balance += profit
        self._settle(profit)
        self.look()

    def wait(self, time: timedelta) -> None:
        """Let time pass, with every reset on its way told as it comes."""
        until = self.now + time
        while True:
            turns = [self._midnight()] + ([] if self.state is None else [self.state.turns_at])
            if min(turns) > until:
                break
            self.now = min(turns)
            if self.program is not None and self.state is not None and self.now == self.state.turns_at:
                self.state = advance(self.state, DayTurned(at=self.now, balance=self.balance), self.program)
            if self.now == turns[0]:
                self._turn()
            self.look()
        self.now = until
        self.look()

    def _midnight(self) -> datetime:
        tomorrow = self.now.astimezone(ZONE).date() + timedelta(days=1)
        return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=ZONE).astimezone(self.now.tzinfo)

    def _turn(self) -> None:
        today = self.now.astimezone(ZONE).date()
        self.peak_close = max(self.peak_close, self.balance)
        self.starts["day"] = self.balance
        if today.weekday() == 0:
            self.starts["week"] = self.balance
        if today.day == 1:
            self.starts["month"] = self.balance

    def _settle(self, profit: Decimal) -> None:
        self.number += 1
        if self.program is not None and self.state is not None:
            self.state = advance(self.state, Settled(number=self.number, at=self.now, profit=profit), self.program)

    # The gate is asked

    def ask(self) -> Ruled:
        """Ask the gate for one trade, and make it as it says."""
        random, symbol, side = self.random, self.random.choice(SYMBOLS), self.random.choice(tuple(Side))
        bid = self.prices[symbol]
        ask = bid + SPREAD
        entry = ask if side is Side.BUY else bid
        distance = d(random.randint(15, 400)).scaleb(-5)
        stop = entry - distance * side.sign
        reach = d(random.choice((1, 2, 3, 8))) * distance
        target = None if random.random() < 0.2 else entry + reach * side.sign
        facts = {
            "signal__symbol": symbol, "signal__side": side, "signal__entry": None, "signal__stop": Price(stop),
            "signal__targets": () if target is None else (Price(target),), "signal__received_at": self.now,
            "quote__bid": Price(bid), "quote__ask": Price(ask), "quote__at": self.now,
            "instrument": replace(EURUSD, symbol=symbol, lot_max=d(500), margin_rate=d("0.001")),
            "programs": {} if self.program is None else {KEY: self.program},
        }  # fmt: skip
        floating = self.equity - self.balance
        make = own if self.program is None else account
        mine = {
            "limits": self.limits, "follow__mode": FixedMoney(amount=money(str(random.randint(20, 3_000)), "USD")),
            "snapshot__at": self.now, "snapshot__balance": self.balance, "snapshot__equity": self.equity,
            "snapshot__floating": floating, "snapshot__margin_used": d(0),
            "positions": tuple(map(self._holding, self.open)), "day": self.now.astimezone(ZONE).date(),
            "realised_day": self.balance - self.starts["day"], "realised_week": self.balance - self.starts["week"],
            "realised_month": self.balance - self.starts["month"], "peak_equity": self.peak_equity,
            "peak_close": self.peak_close, "last_entry_at": None, "terms__leverage": d(5_000),
            "terms__commission": money(str(self.commission), "USD"), "limits__allows_opposite": True,
        }  # fmt: skip
        if self.program is not None:
            mine |= {"firm__program": KEY, "firm__state": self.state}
        ruled = decide(shared(**facts), make(**mine), now=self.now)
        if ruled.sends_order:
            self.taken += 1
            self.open.append(Position(symbol, side, ruled.quantity, entry, stop, target))
            self.balance -= self.commission * ruled.quantity
            self._settle(-self.commission * ruled.quantity)
            self.number += 1
            if self.program is not None and self.state is not None:
                self.state = advance(self.state, Opened(number=self.number, at=self.now), self.program)
            self.look()
        return ruled

    def _holding(self, held: Position) -> Holding:
        price = self.price(held)
        gain = None if held.target is None else abs(held.target - price) * held.quantity * LOT
        return Holding(
            symbol=held.symbol, side=held.side, quantity=Quantity(held.quantity), stop=Price(held.stop),
            risk=(price - held.stop) * held.side.sign * held.quantity * LOT, gain=gain, floating=held.worth(price),
            notional=price * held.quantity * LOT,
        )  # fmt: skip


def limits(random: Random, balance: Decimal) -> Limits:
    """Make up what a customer has set."""

    def maybe(low: int, high: int) -> Decimal | None:
        return None if random.random() < 0.5 else balance * random.randint(low, high) / 1000

    trail = None
    if random.random() < 0.6:
        amount = balance * random.randint(10, 60) / 1000
        trail = Trail(
            amount=amount, follows=random.choice(tuple(Trailing)), lock=balance if random.random() < 0.3 else None
        )
    return Limits(
        max_leverage=d(5_000), buffer=d(random.choice((0, 25, 100))), day_loss=maybe(5, 40), week_loss=maybe(10, 60),
        month_loss=maybe(20, 80), least_equity=None if random.random() < 0.5 else balance * 9 / 10, trail=trail,
        allows_opposite=True, keeps_best_day=False,
    )  # fmt: skip


def live(world: World, steps: int) -> None:
    """Live for some steps: trade, let prices jump, close something, let time pass."""
    random = world.random
    for _ in range(steps):
        what = random.random()
        if what < 0.45:
            world.ask()
        elif what < 0.8:
            symbol = random.choice(SYMBOLS)
            world.move(symbol, world.prices[symbol] + d(random.randint(-600, 600)).scaleb(-5))
        elif what < 0.88 and world.open:
            world.close(random.choice(world.open))
        else:
            world.wait(timedelta(minutes=random.randint(1, 60 * 30)))
    for symbol in SYMBOLS:  # and in the end everything that is open is stopped out, in the worst order there is
        for held in [held for held in world.open if held.symbol == symbol]:
            if held in world.open:
                world.move(symbol, held.stop if held.side is Side.BUY else held.stop - SPREAD)
