"""The stage's door: `python -m ...door PLAN`, where the settings are those of the drill's own servers."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import django


def main(plan: Mapping[str, Any]) -> None:
    """Go through the waves; tell of each run and each wave in a line."""
    django.setup()
    from django.conf import settings

    from mikrobot_platform.drills.exactly_once.scripts import script
    from mikrobot_platform.drills.exactly_once.stage import Servers, Wave, venue

    signal.signal(signal.SIGTERM, _leave)
    last = plan["seed"] + plan["runs"]
    with (
        venue(Path(plan["venue"]), settings.PAPER_VENUE_URL) as process,
        Path(plan["lines"]).open("a", encoding="ascii") as lines,
    ):
        servers = Servers(
            admin_url=os.environ["MIKROBOT_TEST_ADMIN_URL"], redis_url=settings.CACHES["default"]["LOCATION"],
            postmaster=Path(plan["postmaster"]), venue=process, log=Path(plan["log"]),
        )  # fmt: skip
        for first in range(plan["seed"], last, plan["beside"]):
            scripts = [script(seed) for seed in range(first, min(first + plan["beside"], last))]
            wave = Wave(servers=servers, scripts=scripts, broken=plan["broken"])
            for line in _told(first, wave):
                lines.write(f"{json.dumps(line)}\n")
                lines.flush()


def _told(first: int, wave: Any) -> Iterator[dict[str, Any]]:
    names = {one.seed: one.names() for one in wave.scripts}
    for counted in wave.run():
        yield {
            "run": counted.seed, "wave": first, "figures": dict(counted.figures), "faults": dict(names[counted.seed]),
            "problems": counted.problems, "ends": dict(counted.ends),
        }  # fmt: skip
    figures = Counter({"kills": wave.kills, "freezes": wave.freezes, "ended": wave.ended})
    yield {"wave": first, "figures": dict(figures + wave.restarts), "points": dict(wave.points.struck())}


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(1)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
