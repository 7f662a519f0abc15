"""How long a signal takes to be committed: from its file beside a poll of 5 s, from the network beside a bare row."""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from django.conf import settings
from django.utils import timezone

from accounts.models import DrillEffect
from accounts.tenancy import atomic, tenant_scope
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.drills import organizations
from mikrobot_platform.drills.watcher import message, watching
from mikrobot_platform.local.paths import Data
from mikrobot_platform.local.services import web
from mikrobot_platform.measurement import Measurement, say
from trading import connections as secrets
from trading.files import disk
from trading.files.arrivals import KIND, look
from trading.ledger import ledger_of
from trading.models import Source, SourceSecret
from trading.sources.ea_push import PROTOCOL, sign

NAME = "ingest"
POLL_S = 5.0
STREAMS = 4  # as many Expert Advisors push at a time
WARM_UP = 50
PATIENCE_S = 60.0
FILE = "mikrobot_4phase_signal.json"


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--files", type=int, default=200, help="signals through the file (default %(default)s)")
    parser.add_argument("--polls", type=int, default=6, help="of them again with a poll alone (default %(default)s)")
    parser.add_argument("--pushes", type=int, default=1_000, help="signals pushed (default %(default)s)")
    parser.add_argument(
        "--per-second", type=int, default=50, help="pushed in a second, at most 50 (default %(default)s)"
    )


def run(options: Mapping[str, Any]) -> Measurement:
    """Measure each way in and, in the same run, what it is compared with."""
    parameters = {key: int(options[key]) for key in ("files", "polls", "pushes", "per_second")}
    with organizations.folder(f"bench-{NAME}", 1) as (_folder, [organization_id]):
        organizations.create([organization_id])
        files, polls = _files(organization_id, parameters["files"], parameters["polls"])
        pushes, bare = _pushes(organization_id, parameters["pushes"], parameters["per_second"])
    results = {
        **_spread("file", files),
        "poll_mean_ms": round(sum(polls) / len(polls), 1) if polls else 0,
        "poll_ratio": round(sum(polls) / len(polls) / _at(files, 50), 1) if polls else 0,
        **_spread("push", pushes),
        "bare_row_p50_ms": _at(bare, 50),
        "push_ratio": round(_at(pushes, 50) / _at(bare, 50), 1),
    }
    return Measurement(name=NAME, parameters=parameters, results=results)


def _at(milliseconds: Sequence[float], percent: int) -> float:
    ordered = sorted(milliseconds)
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 2)


def _spread(name: str, milliseconds: Sequence[float]) -> dict[str, float]:
    return {f"{name}_p50_ms": _at(milliseconds, 50), f"{name}_p99_ms": _at(milliseconds, 99)}


def _source(organization_id: UUID, kind: str, **fields: Any) -> Source:
    source = Source(id=new_id(), organization_id=organization_id, kind=kind, name=uuid4().hex, **fields)
    with ledger_of(organization_id):
        source.save(force_insert=True)
    return source


# --- The file ---------------------------------------------------------------------------------------------------------
def _files(organization_id: UUID, count: int, polls: int) -> tuple[list[float], list[float]]:
    """Time each signal from the moment when its file is complete until its row can be read by others."""
    source = _source(organization_id, KIND, path=f"bench-{organization_id}/{FILE}")
    # Nobody watches what is switched off: this one is looked at by the poll alone, and switched on while it is.
    polled = _source(organization_id, KIND, path=f"bench-{organization_id}/polled-{FILE}", is_enabled=False)
    disk.make_folder(source.path)
    folder = (disk.home() / source.path).parent
    try:
        say(f"{count} signals through a watched file")
        with watching(source):
            watched = [_timed(source, number) for number in range(count)]
        say(f"{polls} signals through a poll of {POLL_S:.0f} s")
        return watched, _polled(polled, polls)
    finally:
        for left in folder.glob("*"):
            left.unlink()
        folder.rmdir()


def _timed(source: Source, number: int) -> float:
    path = disk.home() / source.path
    body = message(number).encode("utf-16-le")
    with _counting(source) as count:
        before = count()
        with path.open("wb", buffering=0) as file:
            file.write(body)
        began = time.perf_counter()
        _await(lambda: count() > before)
        took = (time.perf_counter() - began) * 1000
    time.sleep(0.05)
    return took


def _polled(source: Source, count: int) -> list[float]:
    """Look every 5 s, while signals come at moments that have nothing to do with it."""
    is_over = threading.Event()

    def poll() -> None:
        while not is_over.wait(POLL_S):
            _switch(source, is_on=True)
            look(source, now=timezone.now())
            _switch(source, is_on=False)

    poller = threading.Thread(target=poll)
    poller.start()
    try:
        found = []
        for number in range(count):
            time.sleep(random.uniform(0, POLL_S))  # noqa: S311
            found.append(_timed(source, number))
        return found
    finally:
        is_over.set()
        poller.join()


def _switch(source: Source, *, is_on: bool) -> None:
    with ledger_of(source.organization_id):
        Source.objects.filter(pk=source.pk).update(is_enabled=is_on)


@contextmanager
def _counting(source: Source) -> Iterator[Callable[[], int]]:
    """Count the signals that others can see, in one short message each time: who asks must not slow who is asked."""
    values = settings.DATABASES["engine"]
    with psycopg.connect(
        dbname=values["NAME"], user=values["USER"], password=values["PASSWORD"], host=values["HOST"],
        port=values["PORT"] or None, autocommit=True, cursor_factory=psycopg.ClientCursor,
    ) as connection:  # fmt: skip

        def count() -> int:
            cursor = connection.execute(
                "begin; select set_config('app.organization_id', %s, true);"
                " select count(*) from trading_signal where organization_id = %s and source_id = %s; commit",
                [str(source.organization_id), source.organization_id, source.pk],
            )
            cursor.nextset()
            cursor.nextset()
            found = cursor.fetchone()
            return int(found[0]) if found else 0

        yield count


def _await(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_done():
        if time.monotonic() > deadline:
            raise RuntimeError("a signal of the bench did not arrive")
        time.sleep(0.002)


# --- The network ------------------------------------------------------------------------------------------------------
def _pushes(organization_id: UUID, count: int, per_second: int) -> tuple[list[float], list[float]]:
    """Time each push from the moment when it was due until its answer: 200 is said after the commit."""
    source = _source(organization_id, "ea_push", per_minute=10**6)
    secret = secrets.make_text()
    with tenant_scope(organization_id), atomic():
        row = SourceSecret(id=new_id(), organization_id=organization_id, source=source)
        secrets.seal(row, secret)
        row.save(force_insert=True)
    with _web() as port:
        say(f"{count} signals pushed, {per_second} a second, {STREAMS} at a time")
        _push_all(port, source, secret, first=0, count=WARM_UP, per_second=per_second)
        pushes = _push_all(port, source, secret, first=WARM_UP, count=count, per_second=per_second)
    say("one row in a transaction of its own each")
    return pushes, _bare(source, min(count, 500))


@contextmanager
def _web() -> Iterator[int]:
    """Serve the application as `up` does, on a port of the bench's own."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        program = web(os.environ, Data(root=Path(settings.DATA_DIR)), [bound])
        process = subprocess.Popen(
            program.argv, env=dict(program.environment), cwd=program.folder, pass_fds=program.descriptors,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        port = int(bound.getsockname()[1])
        try:
            _await(lambda: _is_alive(port))
            yield port
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def _is_alive(port: int) -> bool:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        client.request("GET", "/health/live")
        return client.getresponse().status == 200
    except OSError:
        return False
    finally:
        client.close()


def _push_all(port: int, source: Source, secret: str, *, first: int, count: int, per_second: int) -> list[float]:
    began = time.monotonic() + 0.2

    def push(stream: int) -> list[float]:
        found = []
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        for number in range(first + stream, first + count, STREAMS):
            due = began + (number - first) / per_second
            time.sleep(max(0.0, due - time.monotonic()))
            client.request("POST", f"/hooks/ea/{source.pk}/", *_request(source, secret, number))
            answer = client.getresponse()
            said = answer.read()
            found.append((time.monotonic() - due) * 1000)
            if answer.status != 200:
                raise RuntimeError(f"push {number} was not taken: {answer.status} {said!r}")
        client.close()
        return found

    with ThreadPoolExecutor(STREAMS) as streams:
        return [took for several in streams.map(push, range(STREAMS)) for took in several]


def _request(source: Source, secret: str, number: int) -> tuple[bytes, dict[str, str]]:
    now = datetime.now(UTC)
    head = {
        "protocol": PROTOCOL,
        "source": str(source.pk),
        "stream": f"bench-{number % STREAMS}",
        "sequence": number // STREAMS + 1,
        "id": f"bench-{number}",
        "kind": "signal",
        "clock": {"server": f"{now:%Y.%m.%d %H:%M:%S}", "utc": f"{now:%Y-%m-%dT%H:%M:%SZ}"},
    }
    body = f'{json.dumps(head)[:-1]},"signal":{message(number)}}}'.encode()  # prices keep their digits
    timestamp, nonce = str(int(now.timestamp())), uuid4().hex
    return body, {
        "Content-Type": "application/json",
        "X-Mikrobot-Timestamp": timestamp,
        "X-Mikrobot-Nonce": nonce,
        "X-Mikrobot-Signature": sign(secret.encode(), timestamp=timestamp, nonce=nonce, body=body),
    }


def _bare(source: Source, count: int) -> list[float]:
    """Commit one small row at a time, with nothing checked: what a transaction costs here at the least."""
    found = []
    for number in range(count):
        began = time.perf_counter()
        with ledger_of(source.organization_id):
            DrillEffect(organization_id=source.organization_id, event_id=0, publisher=0, number=number, pid=0).save()
        found.append((time.perf_counter() - began) * 1000)
    return found
