"""A level that equity must not cross, and what the level itself follows upwards until everything is closed.

A floor that follows can come up under open positions: what they may lose must fit into it wherever it will stand, and
not only where it stands now.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple


class Follows(StrEnum):
    """What raises a floor."""

    NOTHING = "nothing"
    BALANCE = "balance"  # at the latest at the next reset: the balance then, less the amount
    EQUITY = "equity"  # at every moment: the highest equity, less the amount


class Floor(NamedTuple):
    """One floor of the firm or of the customer. Equity at the level itself is still above it."""

    name: str
    level: Decimal
    follows: Follows = Follows.NOTHING
    amount: Decimal = Decimal(0)  # how far below what it follows it stands
    lock: Decimal | None = None  # where it stops rising
