"""Death at any step of the way from a door or a file to a judgement: nothing is lost, nothing is doubled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import pytest

from accounts.models.audit import PLATFORM_ID
from accounts.tests.people import Team, team
from trading import sweep
from trading.files.arrivals import look
from trading.models import EventKind, RawState, SignalState, Source
from trading.pipeline import Outcome
from trading.tests import dying
from trading.tests.files import file_source, signal, write
from trading.tests.sources import NOW, kinds, make_source, rest, rows, sent, swept


@pytest.fixture(scope="module", name="cast")
def shared_cast() -> Team:
    return team()


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a signal comes in, what is said when it comes again, and how many judge it."""

    source: Callable[[UUID], Source]
    bring: Callable[[Source], Outcome | None]
    again: RawState | None
    judges: int


def _with_file(organization_id: UUID) -> Source:
    source = file_source(organization_id)
    write(source, signal(1))
    return source


WAYS = {
    "through a door": Way(
        source=make_source, bring=lambda source: sent(source, rest(id="only")), again=RawState.DUPLICATE, judges=1
    ),
    "from a file": Way(source=_with_file, bring=lambda source: look(source, now=NOW), again=None, judges=3),
}


def live(way: Way, source: Source, *, dies_at: int | None = None, is_after: bool = False) -> int:
    """Go through the story, and die at one step; return how many there were."""

    def work() -> None:
        way.bring(source)
        sweep.sweep(now=NOW, among=[source.organization_id])

    return dying.live(work, dies_at=dies_at, is_after=is_after)


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("owner", ["an organization", "the platform"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_death_at_any_step_loses_nothing_and_doubles_nothing(cast: Team, way: Way, owner: str, is_after: bool) -> None:
    organization_id = PLATFORM_ID if owner == "the platform" else cast.house.pk
    live(way, way.source(organization_id))  # system scopes are noted in the trail once a day
    source = way.source(organization_id)
    steps = live(way, source)
    assert [row.state for row in rows(source)[1]] == [SignalState.REJECTED]
    assert steps > 16
    for step in range(1, steps + 1):
        source = way.source(organization_id)
        live(way, source, dies_at=step, is_after=is_after)
        was_kept = bool(rows(source)[0])
        swept(source, NOW + sweep.GRACE)
        assert len(rows(source)[1]) == was_kept, step
        outcome = way.bring(source)  # nobody told the sender that it arrived
        assert (outcome and outcome.state) == (way.again if was_kept else RawState.READ), step
        swept(source, NOW + sweep.GRACE)
        raws, signals = rows(source)
        assert [signal.state for signal in signals] == [SignalState.REJECTED], step
        came_again = [way.again] if was_kept and way.again else []
        assert sorted(raw.state for raw in raws) == sorted([RawState.READ, *came_again]), step
        assert kinds(source).count(EventKind.JUDGED) == way.judges, step
        assert kinds(source).count(EventKind.PARSED) == 1, step
