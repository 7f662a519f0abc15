"""What one look at a file found: the value that travels from whoever reads to whoever stores."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mikrobot_platform.kernel.decisions import Refusal
from trading.files.disk import Version
from trading.models import ReadBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one look found, and what is known of what nobody saw."""

    found: Version | Refusal
    at: datetime
    how: ReadBy
    missed: int = 0  # by counting what events announced
    is_first: bool = False  # of a watcher that has just begun: nobody counted before
    is_over_torn: bool = False  # the version stands where a torn text was that it does not continue
