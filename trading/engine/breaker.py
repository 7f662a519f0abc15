"""A breaker: an account or a venue that fails time and again is left alone for a while, then tried with care."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

OPENS_AFTER = 5  # failures in a row
STAYS_OPEN = timedelta(seconds=30)
CLOSES_AFTER = 3  # successes in a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """How it went lately. Closed, all passes; open, nothing; after its time, with care until it is trusted again."""

    failures: int = 0  # in a row
    successes: int = 0  # in a row, since it was last open
    open_until: datetime | None = None  # kept while it is not trusted again

    def lets_through(self, now: datetime) -> bool:
        """Tell whether something may be tried."""
        return self.open_until is None or now >= self.open_until

    def failed(self, now: datetime) -> Breaker:
        """Count a failure; while it is not trusted yet, one is enough."""
        failures = self.failures + 1
        if self.open_until is not None or failures >= OPENS_AFTER:
            return Breaker(failures=failures, open_until=now + STAYS_OPEN)
        return Breaker(failures=failures)

    def succeeded(self) -> Breaker:
        """Count a success."""
        if self.open_until is None:
            return Breaker()
        if self.successes + 1 >= CLOSES_AFTER:
            return Breaker()
        return replace(self, successes=self.successes + 1)
