"""What is done about a difference between our books and the venue: as the customer has chosen, and safely in any case.

What became of an order is taken over whatever the policy is, and a position of ours without a stop gets one. Closing
is never blocked; what nobody here made is touched only by those who asked for it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from mikrobot_platform.kernel.market import Quantity
from mikrobot_platform.kernel.orders import OrderState
from trading.engine.deeds import Adopt, Alarm, Ask, BlockEntries, Cancel, Close, Deed, MoveStop, PlaceStop, Resolve
from trading.engine.drift import Finding, Kind


class Policy(StrEnum):
    """What the customer wants done about what nobody here did."""

    ALARM = "alarm"  # say it, and open nothing more until somebody has looked
    ADOPT = "adopt"  # take it as it is, and look after it
    FLATTEN = "flatten"  # close it, cancel it, put it back


def repair(finding: Finding, policy: Policy) -> tuple[Deed, ...]:
    """Say what is to be done about one finding, most urgent first; the same finding gives the same deeds."""
    match finding.kind:
        case Kind.ORDER_FOUND | Kind.ORDER_ABSENT:
            return (_resolve(finding),)
        case Kind.ORDER_UNKNOWN:
            return (_ask(finding), _alarm(finding)) if finding.is_overdue else (_ask(finding),)
        case Kind.ORDER_ENDED:
            return (_ask(finding),)
        case Kind.POSITION_MISSING:
            # Most often its stop was filled and the news is late: the fills are asked for before anything is believed.
            return (_ask(finding), *(_look(finding) if policy is Policy.ALARM else (_adopt(finding), _alarm(finding))))
        case Kind.POSITION_UNPROTECTED:
            return _protect(finding, policy)
        case Kind.ORDER_FOREIGN | Kind.POSITION_FOREIGN | Kind.POSITION_RESIZED | Kind.STOP_MOVED:
            return _by_policy(finding, policy)
        case _:
            assert_never(finding.kind)


def _by_policy(finding: Finding, policy: Policy) -> tuple[Deed, ...]:
    match policy:
        case Policy.ALARM:
            return _look(finding)
        case Policy.ADOPT:
            return (_adopt(finding), _alarm(finding))
        case Policy.FLATTEN:
            return (*_undo(finding), _alarm(finding))
        case _:
            assert_never(policy)


def _undo(finding: Finding) -> tuple[Deed, ...]:
    if finding.kind is Kind.ORDER_FOREIGN:
        step = f"cancel/{finding.order}"
        return (
            Cancel(
                about=finding.about, step=step, code=finding.code, evidence=finding.evidence, order=finding.order
            ),
        )  # fmt: skip
    if finding.kind is Kind.STOP_MOVED:
        return _put_back(finding)
    return _close(finding)


def _close(finding: Finding) -> tuple[Deed, ...]:
    """Close what is open at the venue, less what is leaving; numbered as the exits of management are."""
    left = finding.quantity - finding.leaving
    if finding.side is None or left <= 0:
        return ()
    return (
        Close(
            about=finding.about, step=f"exit/{finding.exits_made}", code=finding.code, evidence=finding.evidence,
            side=finding.side.opposite, quantity=Quantity(left), is_all=True,
        ),
    )  # fmt: skip


def _put_back(finding: Finding) -> tuple[Deed, ...]:
    if finding.stop is None:
        return ()
    return (
        MoveStop(
            about=finding.about, step=f"move/attached/{finding.stop:f}/{finding.quantity:f}", code=finding.code,
            evidence=finding.evidence, order="", quantity=finding.quantity, price=finding.stop,
        ),
    )  # fmt: skip


def _protect(finding: Finding, policy: Policy) -> tuple[Deed, ...]:
    """Give it its stop. While one may be arriving, a second one could open what it should close: say it, and ask."""
    if finding.is_stop_in_flight:
        return _look(finding)
    if finding.stop is not None and finding.side is not None:
        stop = PlaceStop(
            about=finding.about, step=f"stop/{finding.stops_made}", code=finding.code, evidence=finding.evidence,
            side=finding.side.opposite, quantity=finding.bare, price=finding.stop,
        )  # fmt: skip
        return (stop, _alarm(finding))
    # Where it should stand is not known: it is not ours, or was taken over without one.
    return (*_close(finding), *_look(finding)) if policy is Policy.FLATTEN else _look(finding)


def _look(finding: Finding) -> tuple[Deed, ...]:
    block = BlockEntries(
        about=finding.about, step=f"block/{finding.kind}", code=finding.code, evidence=finding.evidence
    )
    return (block, _alarm(finding))


def _alarm(finding: Finding) -> Alarm:
    return Alarm(about=finding.about, step=f"alarm/{finding.kind}", code=finding.code, evidence=finding.evidence)


def _adopt(finding: Finding) -> Adopt:
    return Adopt(about=finding.about, step=f"adopt/{finding.kind}", code=finding.code, evidence=finding.evidence)


def _ask(finding: Finding) -> Ask:
    return Ask(about=finding.about, step="ask", code=finding.code, evidence=finding.evidence)


def _resolve(finding: Finding) -> Resolve:
    state = finding.state or OrderState.UNKNOWN
    return Resolve(
        about=finding.about, step=f"resolve/{state}", code=finding.code, evidence=finding.evidence,
        order=finding.order, state=state,
    )  # fmt: skip
