"""News that travels up: what happened below, said once, in the transaction in which it happened.

An event is a name, a tenant and plain values. Who listens stands in one table, `registry.SUBSCRIBERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class EventName(StrEnum):
    """Every event there is; a new one is added here before anybody can publish it."""

    MEMBER_INVITED = "member.invited"
    MEMBER_JOINED = "member.joined"
    MEMBER_ROLE_CHANGED = "member.role_changed"
    MEMBER_REMOVED = "member.removed"
    OWNERSHIP_TRANSFERRED = "organization.ownership_transferred"
    ORGANIZATION_CLOSING = "organization.closing"
    ORGANIZATION_REOPENED = "organization.reopened"
    EXPORT_REQUESTED = "export.requested"
    EXPORT_READY = "export.ready"
    API_KEY_CREATED = "api_key.created"
    API_KEY_REVOKED = "api_key.revoked"
    SWITCH_OFF = "switch.off"
    SWITCH_LIFTED = "switch.lifted"
    LIMITS_CHANGED = "limits.changed"
    LIMIT_REACHED = "limit.reached"
    PROGRAM_CHANGED = "program.changed"
    PROGRAM_UNSURE = "program.unsure"
    ORDER_FILLED = "order.filled"
    ORDER_REFUSED = "order.refused"
    POSITION_OPENED = "position.opened"
    POSITION_CLOSED = "position.closed"
    POSITION_UNPROTECTED = "position.unprotected"
    BOOKS_DIFFER = "books.differ"
    ENTRIES_BLOCKED = "entries.blocked"
    DRILL = "drill.tick"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One piece of news, as a subscriber receives it: at least once, in order within its organization."""

    id: int
    organization_id: UUID
    name: EventName
    data: Mapping[str, object] = field(default_factory=dict)
    published_at: datetime
    trace_id: str = ""
    attempt: int = 1
