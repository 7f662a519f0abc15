"""Drills: rehearsed failures with a measured result. Each is one module and one line here.

A module offers `add_arguments(parser)`, `run(options) -> Measurement` and `has_passed(measurement) -> bool`. Those that
disturb a whole installation stand in local/stage.py as well, and run in one of their own."""

from __future__ import annotations

from collections.abc import Mapping

DRILLS: Mapping[str, str] = {
    "emergency-stop": "mikrobot_platform.drills.emergency_stop",
    "exactly-once": "mikrobot_platform.drills.exactly_once",
    "fuzz": "mikrobot_platform.drills.fuzz",
    "noisy-neighbour": "mikrobot_platform.drills.noisy_neighbour",
    "outbox": "mikrobot_platform.drills.outbox",
    "watcher": "mikrobot_platform.drills.watcher",
}
