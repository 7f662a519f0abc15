"""What nobody here made is taken into our books as the venue shows it, where its customer has asked for that.

It is booked as a fill of our own making, named so that nobody takes it for the venue's: from then on positions are
folded from fills alone, these among them. What it has cost or brought before is not known, and stays unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from uuid import uuid5

from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.orders import FillReport, PositionReport
from mikrobot_platform.kernel.venues import Positions
from trading.engine.drift import Finding, Kind
from trading.folding import bare
from trading.hearing import Heard
from trading.holding import Books
from trading.models import Position

OF_QUANTITY = (Kind.POSITION_FOREIGN, Kind.POSITION_RESIZED, Kind.POSITION_MISSING)
_ZERO = Decimal(0)


def adopted(
    account: Books, finding: Finding, theirs: Sequence[PositionReport], positions: Positions, *, now: datetime
) -> list[Heard]:
    """Say a difference in quantity as if the venue had told of a fill, and what it shows of the position."""
    if finding.kind not in OF_QUANTITY:
        return []
    ours = next((one for one in account.positions if str(one.pk) == finding.about), None)
    shown = [one for one in theirs if _is_it(one, finding, ours, positions)]
    held = _ZERO if ours is None else Side(ours.side).sign * bare(ours.quantity)
    difference = sum((one.side.sign * one.quantity for one in shown), _ZERO) - held
    if not difference or not (shown or ours):
        return []
    symbol = ours.venue_symbol if ours else shown[0].symbol
    place = ours.venue_position_id if ours else shown[0].id
    # The same difference has the same name, whoever finds it; the next one of the same position has another.
    before = f"{bare(ours.opened):f}/{bare(ours.quantity):f}" if ours else "" if place else f"{now:%Y-%m-%dT%H:%M}"
    name = blake2b(f"{place or symbol}/{before}/{difference:f}".encode(), digest_size=16).hexdigest()
    fill = FillReport(
        id=f"adopted/{name}", client_id="", venue_order_id="", symbol=symbol,
        side=Side.BUY if difference > 0 else Side.SELL, quantity=Quantity(abs(difference)),
        # Of one that is gone nobody knows the price; its own says that nothing came of it, and its profit is unknown.
        price=shown[0].price if shown else Price(_ZERO if ours is None else bare(ours.entry)),
        fee=_ZERO, profit=None, position_id=place, at=now,
    )  # fmt: skip
    row = ours.pk if ours else uuid5(account.door.account_id, fill.id)
    told = [Heard(account.door, positions, fill, adopts=row)]
    return [*told, *(Heard(account.door, positions, one) for one in shown)]


def _is_it(one: PositionReport, finding: Finding, ours: Position | None, positions: Positions) -> bool:
    if positions is Positions.HEDGED:
        return one.id == (ours.venue_position_id if ours else finding.about)
    return one.symbol == (ours.venue_symbol if ours else finding.evidence.get("symbol"))
