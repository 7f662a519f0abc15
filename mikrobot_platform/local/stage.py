"""A stage of its own for what disturbs a whole installation: empty stores and a paper venue, gone afterwards.

Such a drill starts itself once more, with PostgreSQL and Redis that nobody else uses; what it kills, floods and stops
is its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

STAGE = "MIKROBOT_STAGE"
# Drills and benches that kill, flood, stop or fill whatever they run in.
ON_STAGE = frozenset({"emergency-stop", "fanout", "noisy-neighbour"})


def wants_one(argv: Sequence[str]) -> bool:
    """Tell whether a command line asks for something that has a stage of its own, and has none yet."""
    is_one = argv[1:2] in (["drill"], ["bench"]) and not ON_STAGE.isdisjoint(argv[2:3])
    return is_one and STAGE not in os.environ and not {"-h", "--help"} & set(argv)


def play(arguments: Sequence[str]) -> int:
    """Run a command of manage.py once more on a stage of its own; return its exit code."""
    from mikrobot_platform.local.throwaway import Throwaway  # the bootstrap looks here before anything is installed

    sys.stderr.write("starting PostgreSQL and Redis of its own\n")
    with closing(Throwaway(is_durable=True)) as stores:
        environment = {
            **os.environ, **stores.variables(), STAGE: str(stores.folder), "MIKROBOT_BOOTSTRAP": "off",
            "DATABASE_POOL_SIZE": "0",
        }  # fmt: skip
        manage = [sys.executable, str(ROOT / "manage.py")]
        migrated = subprocess.call([*manage, "migrate", "--verbosity", "0"], env=environment, stdout=sys.stderr)
        return migrated or subprocess.call([*manage, *arguments], env=environment)
