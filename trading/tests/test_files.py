"""What a file holds becomes one message, once: whole or refused by name, whoever looks, whatever happens meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.tests.people import Team, team
from trading.files.arrivals import look
from trading.models import RawState, Source
from trading.tests.files import file_source, signal, state, touch, write
from trading.tests.sources import NOW, rows


@pytest.fixture(scope="module", name="cast")
def shared_cast() -> Team:
    return team()


@pytest.fixture(name="source")
def own_source(cast: Team) -> Source:
    return file_source(cast.house.pk)


def never(milliseconds: int) -> None:
    pytest.fail("it was read again")


def test_a_file_becomes_one_signal_however_often_it_is_looked_at(source: Source) -> None:
    write(source, signal(1))
    outcome = look(source, now=NOW, pause=never)
    assert outcome is not None
    assert outcome.state is RawState.READ
    for later in range(1, 4):
        assert look(source, now=NOW + timedelta(seconds=later), pause=never) is None
    [raw], [found] = rows(source)
    assert (bytes(raw.body), raw.size, found.symbol) == (signal(1), len(signal(1)), "EURJPY")
    row = state(source)
    assert (row.raw_id, row.kept_at, row.missed, row.read_by, row.code) == (raw.pk, NOW, 0, "poll", "")


def test_the_same_bytes_written_again_are_a_new_arrival_and_a_duplicate(source: Source) -> None:
    write(source, signal(1))
    look(source, now=NOW)
    touch(source)
    outcome = look(source, now=NOW)
    assert outcome is not None
    assert outcome.state is RawState.DUPLICATE
