"""What is to be done at a venue or with our own books, as plain values that say why.

A deed has a key. Whoever sees the same facts makes the same key, and the client id of an order follows from it: two
workers that decide at the same moment make one order, because the second one finds it made.
"""

from __future__ import annotations

from base64 import b32encode
from dataclasses import dataclass, field
from hashlib import blake2b

from mikrobot_platform.kernel.decisions import Code, Evidence, sentence
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.orders import MAX_CLIENT_ID, OrderState

_ID_BYTES = 16  # 26 letters and digits, the most that the tightest venue keeps: MAX_CLIENT_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something to be done about a position or an order, and the reason."""

    about: str  # our id of the position or order; for one that nobody here made, the venue's
    step: str  # tells the deeds about one thing apart; the reason is no part of it
    code: Code
    evidence: Evidence
    sentence: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentence", sentence(self.code, self.evidence))

    @property
    def key(self) -> str:
        """Name this deed, the same for everybody who decides it on the same facts."""
        return f"{self.about}/{self.step}"

    @property
    def client_id(self) -> str:
        """Return the client id of the order that carries it out."""
        return client_id(self.key)


def client_id(key: str) -> str:
    """Make a client id out of a key: short enough for every venue, in letters that none of them refuses."""
    return b32encode(blake2b(key.encode(), digest_size=_ID_BYTES).digest()).decode().rstrip("=").lower()[:MAX_CLIENT_ID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Close(Deed):
    """Close so much of a position at the market. `side` is that of the order, the opposite of the position's."""

    side: Side
    quantity: Quantity
    is_all: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceStop(Deed):
    """Give a position a protective stop: attached to it where the venue can, as an order of its own elsewhere."""

    side: Side
    quantity: Quantity
    price: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveStop(Deed):
    """Let a stop that works stand at this price and cover this quantity."""

    order: str  # client id of the stop order; empty for the stop that the venue keeps with the position
    quantity: Quantity
    price: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(Deed):
    """Cancel an order that waits."""

    order: str  # its client id; for one that nobody here made, the venue's


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm(Deed):
    """Tell the customer, and whoever is on duty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockEntries(Deed):
    """Open nothing more on this account until somebody has looked at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt(Deed):
    """Take what the venue says into our books as it is, and look after it from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve(Deed):
    """Let an order of ours go on to the state that the venue has told."""

    order: str
    state: OrderState


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Deed):
    """Ask the venue how this ended: the order by its id, and the fills since it was sent."""
