"""When something that is done again and again comes due: at a place of its own within its time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from celery.schedules import schedstate, schedule


class Turn(schedule):
    """Come due once in every so many seconds of the clock, so many seconds after the others' beginning."""

    def __init__(self, every_s: float, place_s: float, nowfun: Callable[[], datetime] | None = None) -> None:
        super().__init__(timedelta(seconds=every_s), nowfun=nowfun)
        self.place_s, self._clock = place_s, nowfun

    def is_due(self, last_run_at: datetime) -> Any:
        """Tell whether a turn has begun since the last run, and how many seconds are left until the next."""
        last = self._turn(self.maybe_make_aware(last_run_at))
        now = self._turn(self.maybe_make_aware(self.now()))
        return schedstate(int(now) > int(last), (1 - now % 1) * self.seconds)

    def _turn(self, at: datetime) -> float:
        return (at.timestamp() - self.place_s) / self.seconds

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Turn) and (self.seconds, self.place_s) == (other.seconds, other.place_s)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.seconds, self.place_s, self._clock)
