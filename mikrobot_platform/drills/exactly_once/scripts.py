"""What happens in a run, all of it from its seed: signals, what goes wrong at the venue, who dies where and when.

Runs that stand side by side share processes, servers and the venue, as tenants do: what one script breaks meets all of
them. Times are milliseconds from the beginning of the storm.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mikrobot_platform.drills.exactly_once.points import BESIDE_A_SEND, POINTS, STANDSTILLS

SIGNALS_MS = 8_000  # until then all signals are sent for the first time
STORM_MS = 15_000


class Hand(StrEnum):
    """Who works."""

    DOOR = "door"  # takes signals in
    CARRIER = "carrier"  # judges, plans, sends, sweeps
    LOOKOUT = "lookout"  # hears venues, settles, compares, manages


class Outage(StrEnum):
    """What all of them stand on, and how it fails."""

    REDIS_FLUSHED = "redis_flushed"
    POSTGRES_RESTARTED = "postgres_restarted"
    POSTGRES_CRASHED = "postgres_crashed"
    VENUE_RESTARTED = "venue_restarted"
    VENUE_HANGS = "venue_hangs"


# What goes wrong with a request or with news at the venue (trading/paper/faults.py), and what it is asked for.
FAULTS: tuple[tuple[str, str], ...] = (
    ("drop_before", "place"), ("drop_after", "place"), ("cut_before", "place"), ("cut_after", "place"),
    ("slow_ack", "place"), ("too_many", "place"), ("error_before", "place"), ("error_after", "place"),
    ("expire", "place"), ("reject", "place"), ("partial", "place"), ("die_before", "place"), ("die_after", "place"),
    ("drop_after", "protect"), ("expire", "*"), ("error_before", "order"),
    ("duplicate_news", "*"), ("reorder_news", "*"), ("lose_news", "*"),
)  # fmt: skip
SLOW_MS = (300, 3_000, 12_000)  # the last one is answered after the sender has given up


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A signal, and how often its sender says it."""

    at_ms: int
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong at the venue for one account."""

    at_ms: int
    kind: str
    on: str
    account: int
    ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A process that dies, or stands still for longer than anybody waits, wherever it is."""

    at_ms: int
    hand: Hand
    place: int
    freezes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """A named place where whoever comes by for the n-th time dies, or stands still."""

    at_ms: int
    point: str
    passings: int
    freezes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An outage and its moment."""

    at_ms: int
    outage: Outage


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One run."""

    seed: int
    is_platforms: bool  # whether the platform's source sends its signals, or the organization's own
    accounts: int
    signals: tuple[Sent, ...]
    faults: tuple[Fault, ...]
    kills: tuple[Kill, ...]
    traps: tuple[Trap, ...]
    failures: tuple[Failure, ...]

    def names(self) -> Counter[str]:
        """Count what goes wrong in it, by name."""
        found = Counter(one.kind for one in self.faults)
        found.update(("freeze_" if one.freezes else "kill_") + one.hand for one in self.kills)
        found.update("freeze_at_a_point" if one.freezes else "kill_at_a_point" for one in self.traps)
        found.update(one.outage.value for one in self.failures)
        return found


def script(seed: int) -> Script:
    """Write the script of a seed."""
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    accounts = chance.randint(1, 3)
    signals = tuple(
        Sent(at_ms=chance.randrange(SIGNALS_MS), times=chance.choice((1, 1, 2, 3)))
        for _ in range(chance.choice((1, 1, 2)))
    )
    return Script(
        seed=seed,
        is_platforms=chance.random() < 1 / 3,
        accounts=accounts,
        signals=signals,
        faults=tuple(_fault(chance, accounts, signals) for _ in range(chance.choice((0, 1, 1, 2)))),
        kills=tuple(_kill(chance) for _ in range(chance.choice((0, 1, 1, 2)))),
        traps=tuple(_trap(chance, signals) for _ in range(chance.choice((0, 1, 1)))),
        failures=tuple(_failures(chance)),
    )


def _fault(chance: random.Random, accounts: int, signals: Iterable[Sent]) -> Fault:
    kind, on = chance.choice(FAULTS)
    at_ms = max(0, chance.choice([one.at_ms for one in signals]) - chance.randrange(200))
    return Fault(at_ms=at_ms, kind=kind, on=on, account=chance.randrange(accounts), ms=chance.choice(SLOW_MS))


def _kill(chance: random.Random) -> Kill:
    hand = chance.choices((Hand.DOOR, Hand.CARRIER, Hand.LOOKOUT), (2, 8, 1))[0]
    freezes = chance.random() < 1 / 100
    return Kill(at_ms=chance.randrange(STORM_MS), hand=hand, place=chance.randrange(64), freezes=freezes)


def _trap(chance: random.Random, signals: Iterable[Sent]) -> Trap:
    """Put half of the traps where most depends on them, close to a signal's time."""
    at_ms = max(0, chance.choice([one.at_ms for one in signals]) - chance.randrange(300))
    if chance.random() < 1 / 40:
        return Trap(at_ms=at_ms, point=chance.choice(STANDSTILLS), passings=chance.randint(1, 3), freezes=True)
    places = BESIDE_A_SEND if chance.random() < 1 / 2 else POINTS
    return Trap(at_ms=at_ms, point=chance.choice(places), passings=chance.randint(1, 3), freezes=False)


# Of the runs. A hundred share one storm, and most of it has to be weather in which something is sent.
_SHARES = (
    (Outage.REDIS_FLUSHED, 1 / 80), (Outage.POSTGRES_RESTARTED, 1 / 100), (Outage.POSTGRES_CRASHED, 1 / 100),
    (Outage.VENUE_RESTARTED, 1 / 60), (Outage.VENUE_HANGS, 1 / 400),
)  # fmt: skip


def _failures(chance: random.Random) -> list[Failure]:
    return [
        Failure(at_ms=chance.randrange(STORM_MS), outage=outage) for outage, share in _SHARES if chance.random() < share
    ]
