"""Faults on purpose: what goes wrong with the next requests or news of an account, for drills and tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What can go wrong."""

    # Before the venue has done anything.
    DROP_BEFORE = "drop_before"  # never answered
    CUT_BEFORE = "cut_before"  # the connection ends
    TOO_MANY = "too_many"  # 429
    ERROR_BEFORE = "error_before"  # 5xx
    EXPIRE = "expire"  # the session is over
    REJECT = "reject"  # refused with `code`
    DIE_BEFORE = "die_before"  # the process is killed
    # While it does it.
    PARTIAL = "partial"  # only half of it is filled
    # After it was done and committed.
    DROP_AFTER = "drop_after"
    CUT_AFTER = "cut_after"
    SLOW_ACK = "slow_ack"  # answered `ms` later; what it did is told at once
    ERROR_AFTER = "error_after"
    DIE_AFTER = "die_after"
    # In the news.
    DUPLICATE_NEWS = "duplicate_news"
    REORDER_NEWS = "reorder_news"  # the next two change places
    LOSE_NEWS = "lose_news"


BEFORE = frozenset(
    {
        Kind.DROP_BEFORE, Kind.CUT_BEFORE, Kind.TOO_MANY, Kind.ERROR_BEFORE, Kind.EXPIRE, Kind.REJECT, Kind.DIE_BEFORE
    }
)  # fmt: skip
IN_NEWS = frozenset({Kind.DUPLICATE_NEWS, Kind.REORDER_NEWS, Kind.LOSE_NEWS})
ALWAYS = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that shall go wrong."""

    kind: Kind
    account: str = ""  # by name; empty: whichever comes first
    on: str = "place"  # what is asked for; "*": anything
    after: int = 0  # how many go well before
    times: int = 1  # how many go wrong; ALWAYS
    ms: int = 0
    code: str = "rejected"

    @staticmethod
    def read(told: Mapping[str, Any]) -> Fault:
        return Fault(**{**told, "kind": Kind(told["kind"])})


class Faults:
    """Hold what shall still go wrong, in the order in which it was asked for."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def __len__(self) -> int:
        return len(self._waiting)

    def strike(self, account: str, on: str) -> Fault | None:
        """Tell what goes wrong with a request, if anything; it is used up by that."""
        return self._strike(account, lambda fault: fault.kind not in IN_NEWS and fault.on in (on, "*"))

    def strike_news(self, account: str) -> Fault | None:
        """Tell what goes wrong with a piece of news."""
        return self._strike(account, lambda fault: fault.kind in IN_NEWS)

    def _strike(self, account: str, fits: Callable[[Fault], bool]) -> Fault | None:
        for at, fault in enumerate(self._waiting):
            if fault.account not in ("", account) or not fits(fault):
                continue
            if fault.after:
                self._waiting[at] = replace(fault, after=fault.after - 1)
                return None
            if fault.times > 1:
                self._waiting[at] = replace(fault, times=fault.times - 1)
            elif fault.times != ALWAYS:
                del self._waiting[at]
            return fault
        return None
