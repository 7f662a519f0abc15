"""Real messages are spoilt by the thousand: none may be read as what it does not say, and nothing may raise.

First comes the fixed corpus, then chance. Nothing is stored and no database is asked. What is found is kept with its
bytes in a file that the last line names."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings

from mikrobot_platform.measurement import Measurement, say
from trading.rehearsal.finding import Finding
from trading.rehearsal.fuzz import Report, fuzz
from trading.rehearsal.samples import check_corpus

NAME = "fuzz"
CORPUS_AT_LEAST = 200  # whole files and bodies; the cuts at every byte come on top
KEPT = 1_000  # findings; a parser that guesses has tens of thousands, and nobody reads them


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--mutations", type=int, default=100_000, help="how many to try (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="the same one does the same (default %(default)s)")


def run(options: Mapping[str, Any]) -> Measurement:
    """Read the corpus, then mutations; keep what was found; count."""
    parameters = {key: int(options[key]) for key in ("mutations", "seed")}
    began = time.monotonic()
    checked = check_corpus()
    say(f"corpus {checked.messages} messages and {checked.cuts} cuts  wrong {len(checked.wrong)}")
    report = fuzz(parameters["mutations"], seed=parameters["seed"], tell=_Progress())
    _keep(_place(parameters["seed"]), [*checked.wrong, *report.wrong, *report.exceptions])
    results = {
        **report.summary(), "corpus": checked.messages, "corpus_wrong": len(checked.wrong), "cuts": checked.cuts,
        "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip
    return Measurement(name=NAME, parameters=parameters, results=results)


def has_passed(measured: Measurement) -> bool:
    """Tell whether everything was tried and nothing was found."""
    results = measured.results
    is_whole = 0 < measured.parameters["mutations"] == results["runs"] and results["corpus"] >= CORPUS_AT_LEAST
    return is_whole and not any(results[key] for key in ("wrong", "exceptions", "corpus_wrong"))


class _Progress:
    """Says once a second how far it is."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, report: Report) -> None:
        if time.monotonic() - self._told > 1:
            self._told = time.monotonic()
            say("  ".join(f"{name} {figure:6d}" for name, figure in report.summary().items()))


# --- What was found --------------------------------------------------------------------------------------------------
def _place(seed: int) -> Path:
    return Path(settings.DATA_DIR) / "drills-fuzz" / f"seed-{seed}.jsonl"


def _keep(path: Path, findings: list[Finding]) -> None:
    """Write the findings, one a line, in place of those of an earlier run; nothing found leaves no file."""
    path.unlink(missing_ok=True)
    if not findings:
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_text("".join(f"{found.as_json()}\n" for found in islice(findings, KEPT)), encoding="ascii")
    say(f"{len(findings)} found; the bytes of {min(len(findings), KEPT)} stand in {path}")
