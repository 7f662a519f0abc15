"""Tickets: a person says what is to be traded. It is a message like every other: kept, read, judged and explained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts import audit
from accounts.access import Caller, Permission, Refused
from trading.models import RawState
from trading.pipeline import Delivery, Outcome, receive
from trading.services.sources import built_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What somebody filled in, as text: nothing is rounded on its way. An empty field says nothing."""

    symbol: str
    side: str
    id: str  # of this form: sent twice, it is one ticket
    type: str = "market"
    entry: str = ""
    stop: str = ""
    targets: Sequence[str] = ()
    strategy: str = ""
    timeframe: str = ""
    power: str = ""
    confidence: str = ""
    confluence: str = ""
    notes: str = ""

    def body(self) -> bytes:
        """Write it as the message that trading/sources/manual.py reads."""
        said = {name: getattr(self, name) for name in self.__slots__ if name != "targets"}
        targets = [target for target in self.targets if target.strip()]
        return json.dumps({name: value for name, value in said.items() if value} | {"targets": targets}).encode()


def submit(caller: Caller, ticket: Ticket, *, now: datetime) -> Outcome:
    """Take a ticket; an answer means that it is stored. One that cannot be right is refused with its reason.

    One that could not be read yet is stored and has no signal; the sweep makes one of it.
    """
    caller.require(Permission.SIGNAL)
    caller.member()
    source = built_in(caller.organization_id, "manual")
    found = receive(source, Delivery(body=ticket.body()), now=now)
    if not isinstance(found, Outcome) or found.state in (RawState.REFUSED, RawState.QUARANTINED):
        raise Refused(str(found.code), found.sentence)
    if found.state is not RawState.DUPLICATE:
        subject = f"signal:{found.signal_id}" if found.signal_id else f"raw:{found.raw_id}"
        audit.record("ticket.submitted", subject, symbol=ticket.symbol, side=ticket.side)
    return found
