"""`python -m trading.paper`: the venue without Django, as tests and drills start it."""

from __future__ import annotations

import sys

from trading.paper import run

if __name__ == "__main__":
    sys.exit(run.main(sys.argv[1:]))
