"""Drills: rehearsed failures with a measured result. Each is one module and one line here.

A module offers `add_arguments(parser)`, `run(options) -> Measurement` and `has_passed(measurement) -> bool`."""

from __future__ import annotations

from collections.abc import Mapping

DRILLS: Mapping[str, str] = {
    "exactly-once": "mikrobot_platform.drills.exactly_once",
    "fuzz": "mikrobot_platform.drills.fuzz",
    "outbox": "mikrobot_platform.drills.outbox",
    "watcher": "mikrobot_platform.drills.watcher",
}
