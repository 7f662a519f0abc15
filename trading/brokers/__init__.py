"""The treaty between us and venues: one Protocol, one file a venue, one contract suite that each of them passes.

An adapter takes plain values and gives plain values. It knows no rows, keeps no secrets, and never sends anything
twice: what becomes of an order whose outcome it does not know is not its to decide.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from mikrobot_platform.kernel.market import Price
from mikrobot_platform.kernel.orders import (
    AccountReport,
    FillReport,
    OrderChange,
    OrderReport,
    OrderRequest,
    OrderType,
    PositionReport,
)
from mikrobot_platform.kernel.venues import LookUp as LookUp
from mikrobot_platform.kernel.venues import Positions as Positions
from mikrobot_platform.kernel.venues import VenueInfo


class Refused(Exception):
    """Raised when the venue has said no: nothing was done, and asking again would not help."""

    def __init__(self, code: str, reason: str = "") -> None:
        super().__init__(f"{code}: {reason}" if reason else code)
        self.code, self.reason = code, reason  # the venue's own words


class Unknown(Exception):
    """Raised when a request may have arrived and no answer came: only looking at the venue can tell."""


class Transient(Exception):
    """Raised when a request provably did nothing (never left, or was turned away as too much); it may be repeated."""

    def __init__(self, reason: str, *, retry_after_s: int = 0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class SessionEnded(Transient):
    """Raised when the venue wants a new sign-in before anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a venue can do by itself; whatever it cannot, we do or do without, and say so."""

    order_types: frozenset[OrderType]
    positions: Positions
    attached_stops: bool  # an entry takes its protective stop and target along
    groups: bool  # one cancels the other at the venue
    partial_close: bool
    modify: bool
    look_up: LookUp
    settle: timedelta  # after which an order that is not found never arrived
    streaming: bool
    requests_per_s: int
    unique_client_ids: bool  # the venue itself refuses a client id that it has seen


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueQuote:
    """The venue's own price of a symbol."""

    symbol: str
    bid: Price
    ask: Price
    at: datetime


News = OrderReport | FillReport | PositionReport | AccountReport


class Session(Protocol):
    """A signed-in account at a venue. All may raise Refused, Unknown or Transient; reading never raises Unknown."""

    capabilities: Capabilities

    async def place(self, request: OrderRequest) -> OrderReport:
        """Send one order; return how it stands at once. It is sent at most once, whatever happens."""

    async def cancel(self, client_id: str) -> OrderReport:
        """Cancel an order that waits; of one that is over, say how it ended. A foreign order goes by the venue's id."""

    async def modify(self, client_id: str, change: OrderChange) -> OrderReport:
        """Change an order that waits."""

    async def protect(self, position_id: str, change: OrderChange) -> PositionReport:
        """Move the stop and target that the venue keeps for a position."""

    async def order(self, client_id: str) -> OrderReport | None:
        """Look for an order by our own id; what None means is said by `capabilities.look_up`."""

    async def working(self) -> Sequence[OrderReport]:
        """List the orders that wait."""

    async def positions(self) -> Sequence[PositionReport]:
        """List the open positions."""

    async def fills(self, since: datetime) -> Sequence[FillReport]:
        """List what was carried out since a moment, oldest first."""

    async def account(self) -> AccountReport:
        """Say how the account's money stands."""

    async def quote(self, symbol: str) -> VenueQuote | None:
        """Say the venue's own last price, where it tells one."""

    def news(self) -> AsyncIterator[News]:
        """Hear what happens, until the connection ends. A hint and no more: after each start, look at everything."""

    async def close(self) -> None:
        """Sign off; nothing of the account is touched."""


class Broker(Protocol):
    """A venue that can be signed in to."""

    card: VenueInfo
    capabilities: Capabilities

    async def connect(self, account: str, credentials: Mapping[str, str], *, base_url: str) -> Session:
        """Sign in to one account, by the name that the venue knows it under."""
