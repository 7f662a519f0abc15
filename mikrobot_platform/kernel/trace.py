"""One id follows a request through its tasks and log lines."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

trace_id: ContextVar[str] = ContextVar("trace_id", default="")

_SHAPE = re.compile(r"[0-9a-f]{32}")


def start(given: str = "") -> str:
    """Take a trace id of ours, or make one; anything else that a client sends is not repeated into logs."""
    value = given if _SHAPE.fullmatch(given) else secrets.token_hex(16)
    trace_id.set(value)
    return value
