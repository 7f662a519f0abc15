"""An EA truncates and rewrites one file at speed: each signal is read or counted as missed, none wrong, none twice.

The watcher is the installation's own where one runs; else the drill starts one for its file alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mikrobot_platform import heartbeats
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.drills import organizations
from mikrobot_platform.measurement import ROOT, Measurement, say
from trading.files import disk
from trading.files.arrivals import KIND
from trading.ledger import ledger_of
from trading.models import RawSignal, RawState, Signal, Source, SourceFile
from trading.rehearsal.messages import v8
from trading.sources import SourceContext, plain
from trading.sources.ea_file import DIALECT

NAME = "watcher"
FILE = "mikrobot_4phase_signal.json"
SETTLING_S = 3.0  # a watcher that runs looks for new sources every two seconds
PATIENCE_S = 60.0


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--signals", type=int, default=1_000, help="how many to write (default %(default)s)")
    parser.add_argument("--per-second", type=int, default=4, help="how fast (default %(default)s)")


def run(options: Mapping[str, Any]) -> Measurement:
    """Write, wait until everything is accounted for, compare, clear up."""
    parameters = {"signals": int(options["signals"]), "per_second": max(1, int(options["per_second"]))}
    with organizations.folder(NAME, 1) as (_folder, [organization_id]):
        organizations.create([organization_id])
        source = Source(
            id=new_id(), organization_id=organization_id, name="Drill", kind=KIND,
            path=f"drill-{organization_id}/{FILE}",
        )  # fmt: skip
        file = disk.home() / source.path
        disk.make_folder(source.path)
        with ledger_of(organization_id):
            source.save(force_insert=True)
        try:
            with watching(source) as is_own:
                began = time.monotonic()
                written = _write(file, parameters["signals"], parameters["per_second"])
                seconds = time.monotonic() - began
                _await(source, len(written))
            results = {**_compare(source, written), "seconds": round(seconds, 1), "own_watcher": int(is_own)}
        finally:
            _switch_off(source)
            for left in file.parent.glob("*"):
                left.unlink()
            file.parent.rmdir()
    return Measurement(name=NAME, parameters=parameters, results=results)


def has_passed(measured: Measurement) -> bool:
    """Tell whether every signal is accounted for, and none was read as another or twice."""
    found = measured.results
    is_whole = (
        found["written"] == measured.parameters["signals"] and found["read"] + found["missed"] == found["written"]
    )
    return is_whole and found["wrong"] == 0 and found["twice"] == 0


def message(number: int) -> str:
    """Print a signal that differs from all others, as the EA prints it."""
    current = f"{171 + number // 90_000}.{10_000 + number % 90_000:05d}"
    return v8(prices=("171.12900", "171.13300", "171.13200", "171.13900", current))


@contextmanager
def watching(source: Source) -> Iterator[bool]:
    """Have somebody watch, who has taken the file up; tell whether it is the drill's own process."""
    found = heartbeats.read(heartbeats.WATCHER)
    if found is not None and found.age_s(time.time()) < heartbeats.WATCHER_PATIENCE_S:
        say(f"the watcher is process {found.pid} on {found.host}")
        time.sleep(SETTLING_S)
        yield False
        return
    say("no watcher runs; the drill starts one for its own file")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "watch_files", "--source", str(source.pk)],
        env={**os.environ, "MIKROBOT_BOOTSTRAP": "off", "DATABASE_POOL_SIZE": "0"},
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while _state(source) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the watcher of the drill did not come up; its reason stands above")
            time.sleep(0.1)
        yield True
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)


def _write(file: Path, signals: int, per_second: int) -> list[bytes]:
    """Truncate and write in two parts, with and without a mark as terminals differ; never faster than PER_SECOND.

    After a standstill of the machine nothing is made up for: no EA does, and a burst would be another drill.
    """
    written = []
    due = time.monotonic()
    for number in range(signals):
        body = (b"\xff\xfe" if number % 2 else b"") + message(number).encode("utf-16-le")
        with file.open("wb", buffering=0) as opened:
            opened.write(body[:512])
            opened.write(body[512:])
        written.append(body)
        if number % (per_second * 10) == 0:
            say(f"written {len(written):6d}")
        due = max(due + 1 / per_second, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
    return written


def _state(source: Source) -> SourceFile | None:
    with ledger_of(source.organization_id):
        row: SourceFile | None = SourceFile.objects.filter(source=source).first()
    return row


def _await(source: Source, written: int) -> None:
    """Wait until as much was read or missed as was written, for as long as anything moves."""
    before, deadline = -1, time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with ledger_of(source.organization_id):
            kept = RawSignal.objects.filter(source_id=source.pk).exclude(state=RawState.RECEIVED).count()
        state = _state(source)
        found = kept + (state.missed if state else 0)
        if found >= written:
            time.sleep(SETTLING_S)  # what comes too often would come now
            return
        if found != before:
            before, deadline = found, time.monotonic() + PATIENCE_S
        time.sleep(0.2)


def _switch_off(source: Source) -> None:
    """Let nobody read the file any more, so that what is taken away stays away."""
    with ledger_of(source.organization_id):
        Source.objects.filter(pk=source.pk).update(is_enabled=False)


def _compare(source: Source, written: list[bytes]) -> dict[str, int]:
    """Hold what stands in the ledger against what was written."""
    context = SourceContext(source=str(source.pk))
    meant = {_said(plain(DIALECT.parse(body, context=context))) for body in written}
    state = _state(source)
    with ledger_of(source.organization_id):
        mine = RawSignal.objects.filter(source_id=source.pk)
        drafts = [_said(draft) for draft in Signal.objects.filter(source_id=source.pk).values_list("draft", flat=True)]
        repeated = mine.filter(state=RawState.DUPLICATE).count()
        refused = mine.filter(state=RawState.REFUSED).count()
        unread = mine.filter(state__in=(RawState.RECEIVED, RawState.QUARANTINED)).count()
    return {
        "written": len(written),
        "read": len(meant & set(drafts)),
        "missed": state.missed if state else 0,
        "wrong": len(set(drafts) - meant),
        "twice": repeated + len(drafts) - len(set(drafts)),
        "refused": refused,
        "unread": unread,
    }


def _said(draft: object) -> str:
    return json.dumps(draft, sort_keys=True)
