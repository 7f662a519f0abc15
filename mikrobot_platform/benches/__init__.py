"""Benches: figures with their baseline from the same run. Each is one module and one line here.

A module offers `add_arguments(parser)` and `run(options) -> Measurement`."""

from __future__ import annotations

from collections.abc import Mapping

BENCHES: Mapping[str, str] = {
    "fanout": "mikrobot_platform.benches.fanout",
    "gate": "mikrobot_platform.benches.gate",
    "ingest": "mikrobot_platform.benches.ingest",
    "outbox": "mikrobot_platform.benches.outbox",
}
