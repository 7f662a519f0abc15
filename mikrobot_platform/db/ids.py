"""Row ids that sort by time, so that fresh rows share index pages."""

from __future__ import annotations

import os
import time
import uuid


def new_id() -> uuid.UUID:
    """Make a UUID of version 7 (RFC 9562): 48 bits of milliseconds, then randomness."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)
