"""The table of an order's states: what may follow what, and what never can."""

from __future__ import annotations

import pytest

from mikrobot_platform.kernel.orders import MOVES, OrderState, Purpose, sources_of

_S = OrderState


def test_every_state_stands_in_the_table_and_the_ends_are_ends() -> None:
    assert set(MOVES) == set(OrderState)
    ends = {state for state in OrderState if state.is_final}
    assert ends == {_S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.REFUSED, _S.WITHDRAWN, _S.ABSENT}


def test_every_state_can_be_reached_and_can_end() -> None:
    reached, ended = {_S.PLANNED}, {state for state in OrderState if state.is_final}
    for _ in OrderState:
        reached |= {after for state in reached for after in MOVES[state]}
        ended |= {state for state, after in MOVES.items() if after & ended}
    assert reached == ended == set(OrderState)


@pytest.mark.parametrize("state", [_S.UNKNOWN, _S.WORKING, _S.PARTIAL, *(one for one in OrderState if one.is_final)])
def test_what_may_have_arrived_is_never_sent_again(state: OrderState) -> None:
    seen, ways = {state}, {state}
    while ways:
        ways = {after for one in ways for after in MOVES[one]} - seen
        seen |= ways
    assert not seen & {_S.PLANNED, _S.SENDING}


def test_what_leads_to_a_state_is_the_table_read_backwards() -> None:
    for state in OrderState:
        assert sources_of(state) == {before for before in OrderState if state in MOVES[before]}
    assert sources_of(_S.SENDING) == {_S.PLANNED}
    assert sources_of(_S.ABSENT) == {_S.UNKNOWN}, "only who has asked can say that it never arrived"


def test_only_entries_can_be_blocked() -> None:
    assert [purpose for purpose in Purpose if purpose.is_entry] == [Purpose.ENTRY]
