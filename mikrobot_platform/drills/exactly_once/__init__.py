"""Workers are killed, frozen and cut off while orders go out: the venue counts each intent once, our books agree.

The drill brings its own PostgreSQL, Redis and paper venue and touches nothing of this installation. Its processes run
the product's functions; what they meet follows from each run's seed (scripts.py). Runs go side by side, as tenants.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from mikrobot_platform.local.throwaway import Throwaway
from mikrobot_platform.measurement import ROOT, Measurement, say
from trading.paper.control import default_address

NAME = "exactly-once"
BUILDS = ("retry", "late-intent")  # broken.py; named here, because it may not be imported into this process
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "PYTHONWARNINGS")
STAGE = "mikrobot_platform.drills.exactly_once.door"
WRONG = (
    "duplicates", "lost", "without_intent", "without_receipt", "unknown_left", "unfinished", "books_differ",
    "quota_differs",
)  # fmt: skip
LOG_KEPT = 20_000_000


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--runs", type=int, default=1_000, help="how many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the first run; each has the next (default %(default)s)")
    parser.add_argument("--beside", type=int, default=125, help="how many at a time (default %(default)s)")
    parser.add_argument("--broken", choices=BUILDS, default="", help="rehearse a build that must be found out")


def run(options: Mapping[str, Any]) -> Measurement:
    """Rehearse all runs in waves; write what came of each into a file."""
    parameters = {key: int(options[key]) for key in ("runs", "seed", "beside")}
    broken = str(options.get("broken") or "")
    report = _report(parameters, broken)
    began = time.monotonic()
    told = _Told(report)
    with report.open("w", encoding="ascii") as file:
        for line in _rehearse(parameters, broken, report):
            file.write(f"{json.dumps(line)}\n")
            file.flush()
            told.take(line)
    results = {**told.results(), "seed": parameters["seed"], "seconds": round(time.monotonic() - began, 1)}
    say(f"what came of each run stands in {report}")
    return Measurement(name=NAME, parameters=parameters, results=results, lists=told.lists())


def has_passed(measured: Measurement) -> bool:
    """Tell whether every run took place and nothing was wrong in any, and something was killed."""
    found = measured.results
    is_whole = 0 < measured.parameters["runs"] == found["runs"] and found["orders"] > 0 and found["kills"] > 0
    return is_whole and not any(found[name] for name in WRONG)


def _report(parameters: Mapping[str, int], broken: str) -> Path:
    folder = Path(settings.DATA_DIR) / f"drills-{NAME}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"seed-{parameters['seed']}-runs-{parameters['runs']}{'-' if broken else ''}{broken}.jsonl"
    (folder / name).touch(mode=0o600)
    return folder / name


class _Told:
    """Adds up what the stage tells."""

    def __init__(self, report: Path) -> None:
        self._report = report
        self._figures: Counter[str] = Counter({"runs": 0, "orders": 0, "kills": 0, **dict.fromkeys(WRONG, 0)})
        self._faults: Counter[str] = Counter()
        self._points: Counter[str] = Counter()
        self._ends: Counter[str] = Counter()
        self._failed: list[int] = []

    def take(self, line: Mapping[str, Any]) -> None:
        """Take one line: of a run, or of a wave."""
        self._figures.update(line["figures"])
        self._points.update(line.get("points", {}))
        self._faults.update(line.get("faults", {}))
        self._ends.update(line.get("ends", {}))
        if "run" not in line:
            say(f"runs {self._figures['runs']:5d}  orders {self._figures['orders']:6d}  kills {self._figures['kills']}")
            return
        self._figures["runs"] += 1
        if line["problems"]:
            self._failed.append(line["run"])
            for problem in line["problems"][:5]:
                say(f"seed {line['run']}: {problem}")

    def results(self) -> dict[str, int]:
        return {**self._figures, "points_struck": len(self._points)}

    def lists(self) -> dict[str, Any]:
        """Name what was set to go wrong, where processes were struck, and whose runs failed."""
        return {
            "faults": dict(sorted(self._faults.items())), "points": dict(sorted(self._points.items())),
            "ends": dict(sorted(self._ends.items())), "failed_seeds": self._failed,
        }  # fmt: skip


# --- The servers, and the stage that stands on them ------------------------------------------------------------------
def _rehearse(parameters: Mapping[str, int], broken: str, report: Path) -> Iterator[Mapping[str, Any]]:
    """Run the stage on servers of its own, which are started again whenever it ends one; tell what it tells."""
    servers = Throwaway(is_durable=True, postgres={"track_commit_timestamp": "on"})
    lines, log = servers.folder / "lines.jsonl", servers.folder / "hands.log"
    try:
        environment = _environment(servers)
        _finish([sys.executable, "-m", "django", "migrate", "--database", "owner", "--verbosity", "0"], environment)
        plan = {
            **parameters, "broken": broken, "postmaster": str(servers.postmaster), "lines": str(lines), "log": str(log),
            "venue": str(servers.folder / "venue"),
        }  # fmt: skip
        lines.touch()
        stage = subprocess.Popen([sys.executable, "-m", STAGE, json.dumps(plan)], env=environment, cwd=ROOT)
        try:
            with lines.open(encoding="ascii") as told:
                while True:
                    is_over = stage.poll() is not None
                    servers.revive()
                    yield from map(json.loads, told)
                    if is_over:
                        break
                    time.sleep(0.05)
        finally:
            stage.terminate()
            stage.wait()
        if stage.returncode:
            raise RuntimeError(f"the stage of the drill ended with {stage.returncode}; its reason stands above")
    finally:
        _keep_log(log, report.with_suffix(".log"))
        servers.close()


def _environment(servers: Throwaway) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in INHERITED if name in os.environ},
        **servers.variables(),
        "DJANGO_SETTINGS_MODULE": "mikrobot_platform.settings",
        "DATABASE_POOL_SIZE": "0",  # as every process has it that keeps its own connections
        "LOG_LEVEL": "WARNING",
        "PAPER_VENUE_URL": default_address(servers.folder / "venue"),
    }


def _finish(command: list[str], environment: Mapping[str, str]) -> None:
    subprocess.run(command, env=environment, cwd=ROOT, check=True)


def _keep_log(log: Path, place: Path) -> None:
    """Keep the end of what the processes of the last wave have said."""
    if not log.exists():
        return
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_KEPT))
        with place.open("wb") as kept:
            shutil.copyfileobj(file, kept)
