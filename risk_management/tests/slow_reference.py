"""The firms' rules once more, slowly: from their words alone, every figure computed anew from the whole past.

Nothing of `risk_management.compliance` is used here. A rule below is the sentence of a firm's page, a number is the
page's number; days are told by wall clocks, without a single instant of a reset.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

D = Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One moment of an account's true life: what it was worth afterwards, and what happened."""

    at: datetime
    balance: Decimal
    equity: Decimal
    closed: Decimal | None = None  # a trade was closed with this result
    paid: Decimal | None = None  # a payout left the account
    is_seen: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a firm's page says."""

    start: Decimal
    zone: str
    reset: time
    daily_loss: Callable[[Decimal], Decimal] | None  # by the profit at the last close
    max_loss: Decimal
    follows: str  # nothing, the balance at the end of the day, or the peak of equity
    close: time | None = None
    stops_at: Decimal | None = None
    after_payout: str = ""  # "stands at its stop", "begins anew"
    breaks_at: bool = True  # already at the floor, or only below it
    daily_is_soft: bool = False


def steps(*table: tuple[int, int]) -> Callable[[Decimal], Decimal]:
    """Look up an amount by profit: the last step that was reached."""
    return lambda profit: [D(amount) for at, amount in table if profit >= at or at == 0][-1]


def flat(amount: int) -> Callable[[Decimal], Decimal]:
    return lambda profit: D(amount)


PRAGUE = {"zone": "Europe/Prague", "reset": time(0)}
CHICAGO = {"zone": "America/Chicago", "reset": time(17)}
NEW_YORK = {"zone": "America/New_York", "reset": time(18)}
NEW_YORK_CLOSE = {**NEW_YORK, "close": time(16, 59, 59)}
END_OF_DAY, PEAK, NOTHING = "balance at the end of the day", "peak equity", "nothing"


def _words(place: dict[str, object], start: int, max_loss: int, follows: str, **more: object) -> Words:
    daily_loss = more.pop("daily_loss", None)
    return Words(start=D(start), max_loss=D(max_loss), follows=follows, daily_loss=daily_loss, **place, **more)  # type: ignore[arg-type]


# (firm, program, phase, size, variant, the optional daily loss switched on) -> its words
PROGRAMS: dict[tuple[str, str, str, int, str, bool], Words] = {
    # "balance at 00:00 Europe/Prague, 5 % of initial; equity strictly below"; "90 % of initial, never moves"
    ("FTMO", "2-Step", "challenge", 100_000, "standard", False): _words(
        PRAGUE, 100_000, 10_000, NOTHING, daily_loss=flat(5_000), breaks_at=False
    ),
    # "max(highest midnight balance, initial) - 10 % of initial; resets at reward withdrawal"
    ("FTMO", "1-Step", "funded", 100_000, "swing", False): _words(
        PRAGUE, 100_000, 10_000, END_OF_DAY, daily_loss=flat(3_000), breaks_at=False, after_payout="begins anew"
    ),
    # "highest end-of-day balance - 2,000; locks at the starting balance"
    ("Topstep", "Trading Combine", "challenge", 50_000, "standard", False): _words(
        CHICAGO, 50_000, 2_000, END_OF_DAY, stops_at=D(50_000)
    ),
    # "net P&L since 17:00 <= -1,000: blocked until 17:00, the account survives"
    ("Topstep", "Trading Combine", "challenge", 50_000, "standard", True): _words(
        CHICAGO, 50_000, 2_000, END_OF_DAY, stops_at=D(50_000), daily_loss=flat(1_000), daily_is_soft=True
    ),
    # "0 - 2,000; locks at 0; after the first payout the floor is 0"
    ("Topstep", "Express Funded", "funded", 50_000, "standard", False): _words(
        CHICAGO, 0, 2_000, END_OF_DAY, stops_at=D(0), after_payout="stands at its stop"
    ),
    # "close at 16:59:59; floor stops at the profit-target balance (50K: 53,000)"; Tradovate: never
    ("Apex", "4.0 Evaluation", "challenge", 50_000, "eod_rithmic", False): _words(
        NEW_YORK_CLOSE, 50_000, 2_000, END_OF_DAY, stops_at=D(53_000), daily_loss=flat(1_000), daily_is_soft=True
    ),
    ("Apex", "4.0 Evaluation", "challenge", 50_000, "eod_tradovate", False): _words(
        NEW_YORK_CLOSE, 50_000, 2_000, END_OF_DAY, daily_loss=flat(1_000), daily_is_soft=True
    ),
    # "peak equity, unrealised included, in real time"; no daily loss
    ("Apex", "4.0 Evaluation", "challenge", 50_000, "intraday_rithmic", False): _words(
        NEW_YORK_CLOSE, 50_000, 2_000, PEAK, stops_at=D(53_000)
    ),
    ("Apex", "4.0 Evaluation", "challenge", 50_000, "intraday_tradovate", False): _words(
        NEW_YORK_CLOSE, 50_000, 2_000, PEAK
    ),
    # "start + 100"; daily loss by the profit at the close: 1,000, from 3,000 on 2,000, from 6,000 on 3,000
    ("Apex", "4.0 Performance Account", "funded", 50_000, "eod", False): _words(
        NEW_YORK_CLOSE, 50_000, 2_000, END_OF_DAY, stops_at=D(50_100), daily_is_soft=True,
        daily_loss=steps((0, 1_000), (1_500, 1_000), (3_000, 2_000), (6_000, 3_000)),
    ),
    ("Apex", "4.0 Performance Account", "funded", 50_000, "intraday", False): _words(
        NEW_YORK_CLOSE, 50_000, 2_000, PEAK, stops_at=D(50_100), daily_is_soft=True,
        daily_loss=steps((0, 1_000), (1_500, 1_000), (3_000, 2_000), (6_000, 3_000)),
    ),
    # "the live unrealised peak less 2,500; start + 100 in the funded phase"; the static 100K: 625 for good
    ("Apex", "Legacy", "challenge", 50_000, "tradovate", False): _words(NEW_YORK, 50_000, 2_500, PEAK),
    ("Apex", "Legacy", "funded", 50_000, "trailing", False): _words(
        NEW_YORK, 50_000, 2_500, PEAK, stops_at=D(50_100)
    ),
    ("Apex", "Legacy", "challenge", 100_000, "static", False): _words(NEW_YORK, 100_000, 625, NOTHING),
}  # fmt: skip


def local_day(at: datetime, zone: str, begins: time) -> date:
    """Tell a day by the wall: before the hour it is still the day that began yesterday."""
    wall = at.astimezone(ZoneInfo(zone))
    return wall.date() if wall.time() >= begins else wall.date() - timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A limit that was broken, at one of the ticks."""

    limit: str
    at: datetime


class SlowReference:
    """One account's whole life, under the words of one program."""

    def __init__(self, words: Words, ticks: Sequence[Tick]) -> None:
        self.words = words
        self.ticks = ticks
        self.days = [local_day(tick.at, words.zone, words.reset) for tick in ticks]
        self.closes = [local_day(tick.at, words.zone, words.close or words.reset) for tick in ticks]

    @cache  # noqa: B019  # a life is short, and every question is asked several times
    def daily_floor(self, now: int) -> Decimal | None:
        """Balance at the reset, less what was paid out since (which is no loss), less the allowance."""
        if self.words.daily_loss is None:
            return None
        earlier = [tick.balance for tick, day in self._past(now, self.days) if day < self.days[now]]
        paid = sum((t.paid for t, day in self._past(now, self.days) if day == self.days[now] and t.paid), D(0))
        closed = [tick.balance for tick, day in self._past(now, self.closes) if day < self.closes[now]]
        profit = (closed[-1] if closed else self.words.start) - self.words.start
        return (earlier[-1] if earlier else self.words.start) - paid - self.words.daily_loss(profit)

    @cache  # noqa: B019
    def max_floor(self, now: int) -> Decimal:
        """What is followed, at its highest, less the amount; never above the stop."""
        words = self.words
        payouts = [place for place in range(now + 1) if self.ticks[place].paid]
        if words.after_payout == "stands at its stop" and payouts:
            assert words.stops_at is not None
            return words.stops_at
        followed = [words.start]
        if words.follows == PEAK:
            followed += [tick.equity for tick in self.ticks[: now + 1] if tick.is_seen]
        if words.follows == END_OF_DAY:
            begin = 0
            if words.after_payout == "begins anew" and payouts:
                begin = payouts[-1]
                followed.append(self.ticks[begin].balance)
            for place in range(begin, now):
                is_last_of_its_day = self.closes[place] < self.closes[place + 1]
                if is_last_of_its_day:
                    followed.append(self.ticks[place].balance)
        floor = max(followed) - words.max_loss
        return floor if words.stops_at is None else min(floor, words.stops_at)

    def broken(self) -> list[Broken]:
        """List what was broken and first seen: a soft limit once a day, a hard one once."""
        found: dict[tuple[str, date | None], Broken] = {}
        for now, tick in enumerate(self.ticks):
            if not tick.is_seen:
                continue
            for limit, floor in (("daily_loss", self.daily_floor(now)), ("max_loss", self.max_floor(now))):
                if floor is None or tick.equity > floor or (tick.equity == floor and not self.words.breaks_at):
                    continue
                is_soft = limit == "daily_loss" and self.words.daily_is_soft
                found.setdefault((limit, self.days[now] if is_soft else None), Broken(limit=limit, at=tick.at))
        return sorted(found.values(), key=lambda broken: (broken.at, broken.limit))

    def warnings(self) -> list[tuple[datetime, str, int]]:
        """List each warning with its moment: 60, 80, 95 and 100 % of an allowance used, each once a day at most."""
        said: list[tuple[datetime, str, int]] = []
        for limit in ("daily_loss", "max_loss"):
            told: set[int] = set()
            yesterday: date | None = None
            for now, tick in enumerate(self.ticks):
                if not tick.is_seen:
                    continue
                used = self._used(limit, now, tick)
                if used is None:
                    continue
                if yesterday != self.days[now]:
                    # The day's loss begins anew. Of the whole loss, what is still used up has been told before.
                    told = {level for level in told if limit == "max_loss" and used >= level}
                    yesterday = self.days[now]
                new = [level for level in (60, 80, 95, 100) if used >= level and level not in told]
                said += [(tick.at, limit, level) for level in new]
                told.update(new)
        return sorted(said)

    def results(self, now: int) -> dict[date, Decimal]:
        """Add up what was closed since the last payout, by day."""
        payouts = [place for place in range(now + 1) if self.ticks[place].paid]
        found: dict[date, Decimal] = {}
        for place in range(payouts[-1] if payouts else 0, now + 1):
            closed = self.ticks[place].closed
            if closed is not None:
                found[self.days[place]] = found.get(self.days[place], D(0)) + closed
        return found

    def _used(self, limit: str, now: int, tick: Tick) -> Decimal | None:
        floor = self.daily_floor(now) if limit == "daily_loss" else self.max_floor(now)
        if floor is None:
            return None
        allowance = self.words.max_loss
        if limit == "daily_loss":
            assert self.words.daily_loss is not None
            closed = [t.balance for t, day in self._past(now, self.closes) if day < self.closes[now]]
            allowance = self.words.daily_loss((closed[-1] if closed else self.words.start) - self.words.start)
        return 100 - (tick.equity - floor) * 100 / allowance

    def _past(self, now: int, days: Sequence[date]) -> list[tuple[Tick, date]]:
        return list(zip(self.ticks[: now + 1], days[: now + 1], strict=True))
