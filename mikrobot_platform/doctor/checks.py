"""The doctor's table: what is looked at, in which order, on which ground."""

from __future__ import annotations

from functools import partial

from mikrobot_platform import heartbeats
from mikrobot_platform.doctor import Check, database, machine, work

_DATABASE = ("environment", "database", "roles", "migrations")
_REDIS = ("environment", "redis")

CHECKS = (
    Check("environment", machine.environment),
    Check("database", database.reachable, ("environment",)),
    Check("roles", database.roles, ("environment", "database")),
    Check("migrations", database.migrations, ("environment", "database")),
    Check("tenants", database.tenants, ("environment", "database")),
    Check("grants", database.grants, ("environment", "database")),
    Check("redis", work.redis_server, ("environment",)),
    Check("beat", work.beat, _REDIS),
    *(Check(f"worker_{queue}", partial(work.worker, queue), _REDIS) for queue in heartbeats.PATIENCE_S),
    Check("watcher", work.watcher, (*_DATABASE, "redis")),
    Check("paper_venue", work.paper_venue, _REDIS),
    Check("accounts", work.accounts, (*_DATABASE, "redis")),
    Check("outbox", work.outbox, _DATABASE),
    Check("stuck_work", work.stuck, _DATABASE),
    Check("programs", work.programs, _DATABASE),
    Check("audit", machine.audit, _DATABASE),
    Check("keys", machine.keys, _DATABASE),
    Check("disk", machine.disk, ("environment",)),
    Check("clock", machine.clock, ("environment", "database", "redis")),
    Check("mail", machine.mail, ("environment",)),
)
