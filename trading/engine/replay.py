"""What comes again, or not in its turn: how long a signed message may be on its way, and how its number stands.

Which nonces were seen and which number came last are rows; what follows from them is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

WINDOW_S = 300  # a customer's PC that is further off than this has its clock put right, not its signals traded
NONCE_KEEP_S = 2 * WINDOW_S  # a nonce must be remembered for as long as its timestamp can pass


class Order(StrEnum):
    """How a message's number stands to the last one that was acknowledged."""

    NEXT = "next"
    GAP = "gap"  # numbers are missing between: accepted, and the gap is shown
    REPEATED = "repeated"  # acknowledged again, acted upon never again


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceVerdict:
    """What a message's number means, and how many messages were never seen."""

    order: Order
    missing: int = 0


def judge_sequence(last: int | None, got: int) -> SequenceVerdict:
    """Judge a number against the last one of its stream; the first message of a stream may start anywhere."""
    if last is None or got == last + 1:
        return SequenceVerdict(order=Order.NEXT)
    if got <= last:
        return SequenceVerdict(order=Order.REPEATED)
    return SequenceVerdict(order=Order.GAP, missing=got - last - 1)
