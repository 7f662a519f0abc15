"""What a file holds becomes one message, once: whole or refused by name, whoever looks, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections
from django.db.utils import DatabaseError

from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import Team, team
from mikrobot_platform.kernel.decisions import Code, Refusal
from mikrobot_platform.kernel.strict_json import MAX_KEPT
from trading.files import arrivals, disk
from trading.files.arrivals import PAUSES_MS, look, poll
from trading.files.sights import Sight
from trading.ledger import ledger_of
from trading.models import EventKind, RawState, ReadBy, Signal, SignalState, Source, SourceFile
from trading.tests.files import NAME, file_source, place, signal, state, touch, write
from trading.tests.sources import NOW, events, kinds, make_source, rows, swept


@pytest.fixture(scope="module", name="cast")
def shared_cast() -> Team:
    return team()


@pytest.fixture(name="source")
def own_source(cast: Team) -> Source:
    return file_source(cast.house.pk)


def never(milliseconds: int) -> None:
    pytest.fail("it was read again")


def at_once(_milliseconds: int) -> None:
    """Take no time."""


class Meanwhile:
    """Do one thing a pause, and count the pauses."""

    def __init__(self, *deeds: Callable[[], object]) -> None:
        self.deeds = list(deeds)
        self.pauses: list[int] = []

    def __call__(self, milliseconds: int) -> None:
        self.pauses.append(milliseconds)
        if self.deeds:
            self.deeds.pop(0)()


# --- One version, one message -----------------------------------------------------------------------------------------
def test_a_file_becomes_one_signal_however_often_it_is_looked_at(source: Source) -> None:
    write(source, signal(1))
    outcome = look(source, now=NOW, pause=never)
    assert outcome is not None
    assert outcome.state is RawState.READ
    for later in range(1, 4):
        assert look(source, now=NOW + timedelta(days=later), pause=never) is None  # as over a weekend
    [raw], [found] = rows(source)
    assert (bytes(raw.body), raw.size, found.symbol) == (signal(1), len(signal(1)), "EURJPY")
    row = state(source)
    assert (row.raw_id, row.kept_at, row.missed, row.read_by, row.code) == (raw.pk, NOW, 0, ReadBy.POLL, "")
    assert row.seen_at == NOW + timedelta(days=3)


def test_the_same_bytes_written_again_are_a_new_arrival_and_a_duplicate(source: Source) -> None:
    write(source, signal(1))
    look(source, now=NOW)
    touch(source)
    outcome = look(source, now=NOW)
    assert outcome is not None
    assert outcome.state is RawState.DUPLICATE
    raws, signals = rows(source)
    assert (len(raws), len(signals)) == (2, 1)


def test_other_bytes_of_the_same_moment_and_size_are_a_new_version(source: Source) -> None:
    write(source, signal(1))
    look(source, now=NOW)
    at = place(source).stat().st_mtime_ns
    write(source, signal(2))
    os.utime(place(source), ns=(at, at))
    assert look(source, now=NOW) is not None
    assert len(rows(source)[1]) == 2


def test_bytes_are_kept_before_they_are_read(source: Source) -> None:
    write(source, signal(1))
    with patch("trading.reading.dedupe_key", side_effect=OperationalError), pytest.raises(OperationalError):
        look(source, now=NOW)
    assert [bytes(raw.body) for raw in rows(source)[0]] == [signal(1)]
    assert look(source, now=NOW) is None  # it is kept, the sweep reads it
    swept(source, NOW + timedelta(seconds=6))
    assert [raw.state for raw in rows(source)[0]] == [RawState.READ]


def test_a_file_of_the_platform_is_read_for_everybody(cast: Team) -> None:
    source = file_source(PLATFORM_ID)
    write(source, signal(1))
    assert look(source, now=NOW) is not None
    with tenant_scope(cast.house.pk), atomic():
        assert Signal.objects.filter(source_id=source.pk).count() == 1
        assert not SourceFile.objects.filter(source=source).exists()


def test_what_was_switched_off_or_taken_away_meanwhile_is_left_alone(source: Source) -> None:
    write(source, signal(1))
    with ledger_of(source.organization_id):
        Source.objects.filter(pk=source.pk).update(is_enabled=False)
    assert look(source, now=NOW) is None
    with ledger_of(source.organization_id):
        Source.objects.filter(pk=source.pk).delete()
    assert look(source, now=NOW) is None
    assert rows(source) == ([], [])


def test_what_is_taken_away_at_this_moment_is_waited_for(source: Source, admin_url: str) -> None:
    write(source, signal(1))

    def work() -> object:
        try:
            return look(source, now=NOW)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool, psycopg.connect(admin_url, autocommit=True) as watching:
        with ledger_of(source.organization_id):
            Source.objects.filter(pk=source.pk).delete()
            outcome = pool.submit(work)
            waiting = "select count(*) from pg_locks where not granted"
            while not outcome.done() and watching.execute(waiting).fetchone() == (0,):
                pass
            assert not outcome.done()
        assert outcome.result() is None
    assert rows(source) == ([], [])


def test_many_who_look_at_once_keep_one_version_once(source: Source) -> None:
    write(source, signal(1))
    gate = threading.Barrier(4)

    def work(number: int) -> object:
        gate.wait()
        try:
            return look(source, now=NOW, how=ReadBy.EVENTS if number % 2 else ReadBy.POLL)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(work, range(4)))
    assert sum(outcome is not None for outcome in outcomes) == 1
    assert kinds(source) == [EventKind.RECEIVED, EventKind.PARSED]


def test_the_database_itself_lets_no_version_in_twice(source: Source) -> None:
    write(source, signal(1))
    look(source, now=NOW)
    touch_free = patch("trading.files.arrivals._message_of", return_value=None)
    with touch_free, pytest.raises(DatabaseError, match="trading_rawsignal_version"):
        look(source, now=NOW)
    assert len(rows(source)[0]) == 1


def other_process(*sources: Source) -> subprocess.Popen[str]:
    """Look at these files a hundred times, in a process of its own."""
    code = (
        "import django; django.setup()\n"
        "from django.utils import timezone\n"
        "from trading.files import arrivals\n"
        f"ids = {[str(source.pk) for source in sources]!r}\n"
        "mine = [source for source in arrivals.sources() if str(source.pk) in ids]\n"
        "print(len(mine), flush=True)\n"
        "for _ in range(100): [arrivals.look(source, now=timezone.now()) for source in mine]\n"
    )
    return subprocess.Popen([sys.executable, "-c", code], cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True)


def test_two_processes_keep_each_version_once(cast: Team) -> None:
    source = file_source(cast.house.pk)
    write(source, signal(0))
    number = 0
    with other_process(source) as one, other_process(source) as two:
        for other in (one, two):
            assert other.stdout is not None
            assert other.stdout.readline() == "1\n"
        while one.poll() is None or two.poll() is None:
            number += 1
            write(source, signal(number))
            threading.Event().wait(0.01)
    assert (one.returncode, two.returncode) == (0, 0)
    look(source, now=NOW)
    raws, signals = rows(source)
    assert number > 20
    assert [raw.state for raw in raws if raw.state != RawState.READ] == []
    assert len({bytes(raw.body) for raw in raws}) == len(raws) == len(signals) > 10
    assert {bytes(raw.body) for raw in raws} <= {signal(one) for one in range(number + 1)}


# --- Not whole --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("end", [1, 2, 3, 4, 100, 701, 1000, len(signal()) - 3, len(signal()) - 2, len(signal()) - 1])
def test_a_torn_text_is_read_again_until_it_is_whole(source: Source, end: int) -> None:
    write(source, signal(1)[:end])
    meanwhile = Meanwhile(lambda: None, lambda: write(source, signal(1)))
    outcome = look(source, now=NOW, pause=meanwhile)
    assert outcome is not None
    assert outcome.state is RawState.READ
    assert meanwhile.pauses == list(PAUSES_MS[:2])
    [raw], _ = rows(source)
    assert bytes(raw.body) == signal(1)
    assert state(source).missed == 0, "it was the beginning of what came"


@pytest.mark.parametrize("end", [1, 2, 701, len(signal()) - 2])
def test_what_stays_torn_is_kept_and_refused_by_name(source: Source, end: int) -> None:
    write(source, signal(1)[:end])
    meanwhile = Meanwhile()
    outcome = look(source, now=NOW, pause=meanwhile)
    assert outcome is not None
    assert outcome.state is RawState.REFUSED
    assert outcome.sentence
    assert meanwhile.pauses == list(PAUSES_MS), "bounded"
    [raw], signals = rows(source)
    assert (bytes(raw.body), signals) == (signal(1)[:end], [])
    row = state(source)
    assert (row.code, outcome.sentence in row.sentence) == (Code.FILE_TORN, True)
    assert look(source, now=NOW, pause=at_once) is None, "once"
    write(source, signal(1))
    assert look(source, now=NOW, pause=never) is not None
    row = state(source)
    assert (row.code, row.missed) == ("", 0)


def test_a_torn_text_that_another_replaced_was_missed(source: Source) -> None:
    write(source, signal(1, symbol="USDJPY")[:701])
    look(source, now=NOW, pause=Meanwhile(lambda: write(source, signal(2))))
    assert state(source).missed == 1
    assert [(event.kind, event.evidence) for event in events(source)][1] == (EventKind.GAP, {"missing": 1})
    write(source, signal(3)[:701])
    look(source, now=NOW, pause=at_once)
    write(source, b"")
    look(source, now=NOW, pause=at_once)
    write(source, signal(4, symbol="GBPUSD"))
    look(source, now=NOW, pause=at_once)
    assert state(source).missed == 2


def test_where_events_are_counted_looking_counts_nothing(source: Source) -> None:
    write(source, signal(1))
    look(source, now=NOW, how=ReadBy.EVENTS)
    write(source, signal(2, symbol="USDJPY")[:701])
    look(source, now=NOW, pause=Meanwhile(lambda: write(source, signal(3))))
    look(source, now=NOW, how=ReadBy.EVENTS)
    assert state(source).missed == 0


@pytest.mark.parametrize("is_counted_first", [False, True])
def test_what_the_watcher_missed_and_the_poll_has_kept_was_not_missed(source: Source, is_counted_first: bool) -> None:
    write(source, signal(1))
    look(source, now=NOW, how=ReadBy.EVENTS)
    write(source, signal(2))
    seen = arrivals.see(source, now=NOW, how=ReadBy.POLL, pause=never)
    touch(source)
    write(source, signal(3))
    touch(source, 10_000_000)
    last = Sight(found=disk.read(source.path), at=NOW, how=ReadBy.EVENTS, missed=1)
    sights = [last, seen] if is_counted_first else [seen, last]
    for sight in sights:
        arrivals.receive(source, sight, now=NOW)
    look(source, now=NOW + timedelta(minutes=1))
    assert state(source).missed == 0
    assert len(rows(source)[1]) == 3


def test_what_the_poll_has_kept_before_the_watcher_brings_it_counts_once(source: Source) -> None:
    write(source, signal(1))
    look(source, now=NOW, how=ReadBy.EVENTS)
    write(source, signal(2))
    look(source, now=NOW)
    look(source, now=NOW, how=ReadBy.EVENTS)
    assert (state(source).missed, state(source).kept_aside) == (0, [])
    last = Sight(found=disk.read(source.path), at=NOW, how=ReadBy.EVENTS, missed=1)
    arrivals.receive(source, last, now=NOW)
    assert state(source).missed == 1


@pytest.mark.parametrize("end", ["nobody", "another"])
def test_when_the_watcher_is_gone_nothing_of_what_the_poll_keeps_is_taken_for_missed(source: Source, end: str) -> None:
    write(source, signal(1))
    look(source, now=NOW, how=ReadBy.EVENTS)
    for number in (2, 3):
        write(source, signal(number))
        look(source, now=NOW + timedelta(seconds=5 * number))
    if end == "nobody":
        look(source, now=NOW + timedelta(seconds=40))
        assert state(source).read_by == ReadBy.POLL
    else:
        first = Sight(found=disk.read(source.path), at=NOW + timedelta(seconds=20), how=ReadBy.POLL, is_first=True)
        arrivals.receive(source, first, now=NOW)
    assert (state(source).missed, state(source).kept_aside) == (0, [])


def test_what_was_missed_is_counted_also_where_nothing_is_new(source: Source) -> None:
    write(source, signal(1))
    look(source, now=NOW)
    found = disk.read(source.path)
    for missed in (1, 3):
        arrivals.receive(source, Sight(found=found, at=NOW, how=ReadBy.EVENTS, missed=missed), now=NOW)
    assert (state(source).missed, state(source).read_by) == (4, ReadBy.EVENTS)
    assert [event.evidence for event in events(source) if event.kind == EventKind.GAP] == [
        {"missing": 1},
        {"missing": 3},
    ]


def test_an_empty_file_is_waited_for_and_said_and_never_kept(source: Source) -> None:
    write(source, b"")
    meanwhile = Meanwhile()
    assert look(source, now=NOW, pause=meanwhile) is None
    assert meanwhile.pauses == list(PAUSES_MS)
    assert (state(source).code, state(source).seen_at) == (Code.FILE_EMPTY, NOW)
    assert rows(source) == ([], [])
    write(source, signal(1))
    assert look(source, now=NOW, pause=never) is not None
    write(source, b"")
    touch(source)
    assert look(source, now=NOW, pause=Meanwhile(lambda: write(source, signal(2)))) is not None
    assert state(source).missed == 0


@pytest.mark.parametrize(
    ("body", "state_after", "code"),
    [
        (signal(1) + b"\0" * 512, RawState.READ, ""),
        (signal(1)[:600] + b"\0" * 600, RawState.REFUSED, Code.UNFINISHED),
        (signal(1)[:600] + b"\0" * 600 + signal(1)[600:], RawState.REFUSED, Code.NUL_INSIDE),
        (b"\0" * 600, RawState.REFUSED, Code.EMPTY),
    ],
)
def test_padding_is_no_part_of_a_text(source: Source, body: bytes, state_after: str, code: str) -> None:
    write(source, body)
    outcome = look(source, now=NOW, pause=at_once)
    assert outcome is not None
    assert (outcome.state, outcome.code) == (state_after, code)
    assert state(source).code == ("" if state_after == RawState.READ else Code.FILE_TORN)


def test_what_is_too_large_is_kept_in_part_with_its_true_size(source: Source) -> None:
    write(source, b"x" * 3_000_000)
    outcome = look(source, now=NOW, pause=never)
    assert outcome is not None
    assert (outcome.state, outcome.code) == (RawState.REFUSED, Code.TOO_LARGE)
    [raw], _ = rows(source)
    assert (raw.size, len(raw.body)) == (3_000_000, MAX_KEPT)
    assert look(source, now=NOW, pause=never) is None


def test_what_changes_while_it_is_read_is_not_taken(source: Source) -> None:
    write(source, signal(1))
    read = os.pread

    def while_somebody_writes(descriptor: int, length: int, offset: int) -> bytes:
        body = read(descriptor, length, offset)
        with place(source).open("r+b") as file:
            file.write(signal(2)[:900])
        return body

    with patch("os.pread", while_somebody_writes):
        found = disk.read(source.path)
    assert isinstance(found, Refusal)
    assert found.code == Code.FILE_RESTLESS
    with patch("os.pread", while_somebody_writes):
        assert look(source, now=NOW, pause=at_once) is None
    assert state(source).code == Code.FILE_RESTLESS
    assert rows(source) == ([], [])


# --- Not there, not ours ----------------------------------------------------------------------------------------------
def test_a_missing_file_and_a_missing_folder_are_named_and_found_again(source: Source) -> None:
    assert look(source, now=NOW, pause=never) is None
    assert state(source).code == Code.FILE_MISSING
    place(source).parent.rmdir()
    assert look(source, now=NOW, pause=never) is None
    assert state(source).code == Code.FILE_FOLDER_MISSING
    assert state(source).seen_at is None
    disk.make_folder(source.path)
    write(source, signal(1))
    assert look(source, now=NOW, pause=never) is not None
    assert state(source).code == ""


def test_without_the_folder_for_signal_files_nothing_breaks(source: Source, settings: Any, tmp_path: Path) -> None:
    settings.SIGNAL_FILES_DIR = tmp_path / "none"
    assert look(source, now=NOW, pause=never) is None
    assert state(source).code == Code.FILE_FOLDER_MISSING


def test_a_file_that_somebody_holds_is_tried_again(source: Source) -> None:
    write(source, signal(1))
    is_held = threading.Event()
    is_held.set()
    opened = os.open

    def held(path: Any, *args: Any, **kwargs: Any) -> int:
        if path == NAME and is_held.is_set():
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **kwargs)

    with patch("os.open", held):
        assert look(source, now=NOW, pause=at_once) is None
        assert state(source).code == Code.FILE_LOCKED
        outcome = look(source, now=NOW, pause=Meanwhile(is_held.clear))
    assert outcome is not None
    assert (outcome.state, state(source).code) == (RawState.READ, "")


def test_what_is_no_file_does_not_hold_us_up(source: Source) -> None:
    os.mkfifo(place(source))
    assert look(source, now=NOW, pause=never) is None
    assert state(source).code == Code.FILE_UNREADABLE


@pytest.mark.parametrize("kind", ["file", "folder", "the file of another customer"])
def test_no_link_is_followed(cast: Team, source: Source, tmp_path: Path, kind: str) -> None:
    secret = tmp_path / NAME
    secret.write_bytes(signal(1))
    if kind == "folder":
        place(source).parent.rmdir()
        place(source).parent.symlink_to(tmp_path)
    elif kind == "file":
        place(source).symlink_to(secret)
    else:
        other = file_source(cast.other.pk)
        write(other, signal(1))
        place(source).symlink_to(place(other))
    assert look(source, now=NOW, pause=never) is None
    assert state(source).code == Code.FILE_OUTSIDE
    assert rows(source) == ([], [])


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x.json", "a/../../x.json", "a\\b", "a\0b", ".."])
def test_a_path_stays_below_the_folder(path: str) -> None:
    with pytest.raises(CommandError):
        call_command("source_file", "add", "X", "--platform", f"--path={path}")


def test_a_path_through_a_link_is_refused_at_once(tmp_path: Path) -> None:
    link = disk.home() / uuid4().hex
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path)
    with pytest.raises(CommandError, match="leads out"):
        call_command("source_file", "add", "X", "--platform", "--path", f"{link.name}/x.json")


def test_the_web_may_name_no_file(cast: Team, source: Source) -> None:
    refused = pytest.raises(DatabaseError, match="not for this role")
    with refused, tenant_scope(cast.house.pk), atomic():
        Source.objects.create(name="Mine", kind="ea_file", path="mine.json")
    with refused, tenant_scope(cast.house.pk), atomic():
        Source.objects.filter(pk=source.pk).update(path="other.json")
    with tenant_scope(cast.house.pk), atomic():
        assert Source.objects.filter(pk=source.pk).update(is_enabled=True) == 1
        row = Source.objects.get(pk=source.pk)
        row.name = f"Renamed {uuid4().hex[:6]}"
        row.save()


def test_only_a_file_has_a_path(cast: Team) -> None:
    with pytest.raises(DatabaseError, match="trading_source_files_only"):
        make_source(cast.house.pk, kind="rest", path="x.json")


# --- The poll of the timetable ----------------------------------------------------------------------------------------
def test_with_the_watcher_dead_the_poll_finds_it(cast: Team) -> None:
    sources = [file_source(cast.house.pk), file_source(cast.other.pk), file_source(PLATFORM_ID)]
    for number, source in enumerate(sources):
        write(source, signal(number))
    from trading.tasks import poll_files

    poll_files.apply(throw=True)
    for source in sources:
        assert [found.state for found in rows(source)[1]] == [SignalState.WAITING]
        assert state(source).read_by == ReadBy.POLL
    assert poll(now=NOW, among=sources) == 0


def test_a_file_that_cannot_be_stored_holds_up_no_other(cast: Team) -> None:
    sources = [file_source(cast.house.pk), file_source(cast.house.pk)]
    for number, source in enumerate(sources):
        write(source, signal(number))
    kept = arrivals.keep

    def broken(source: Source, sight: Any) -> Any:
        if source.pk == sources[0].pk:
            raise OperationalError
        return kept(source, sight)

    with patch("trading.files.arrivals.keep", broken):
        assert poll(now=NOW, among=sources) == 1
    assert poll(now=NOW, among=sources) == 1
    assert [len(rows(source)[1]) for source in sources] == [1, 1]


# --- The answer -------------------------------------------------------------------------------------------------------
@pytest.fixture(name="answered")
def answered_source(cast: Team) -> Source:
    return file_source(cast.house.pk, answers=True)


def answer_of(source: Source) -> list[dict[str, Any]]:
    told = json.loads((place(source).parent / f"{NAME}.answer.json").read_text(encoding="ascii"))
    assert told["source"] == str(source.pk)
    return list(told["answers"])


def acknowledge(source: Source, *ids: str, encoding: str = "ascii") -> None:
    (place(source).parent / f"{NAME}.ack").write_bytes("\r\n".join(ids).encode(encoding))


def test_without_being_asked_nothing_is_written_beside_the_file(source: Source) -> None:
    write(source, signal(1))
    look(source, now=NOW)
    assert [path.name for path in place(source).parent.iterdir()] == [NAME]


def test_what_became_of_a_message_is_answered_until_it_is_acknowledged(answered: Source) -> None:
    write(answered, signal(1))
    outcome = look(answered, now=NOW)
    assert outcome is not None
    [told] = answer_of(answered)
    assert told == {
        "id": str(outcome.raw_id), "stamp": "2025.08.04 08:28", "symbol": "EURJPY", "state": "waiting", "code": "",
        "sentence": "", "at": "2025-08-04T08:28:20.000+00:00",
    }  # fmt: skip
    swept(answered, NOW)
    look(answered, now=NOW)
    [told] = answer_of(answered)
    assert told["state"] == SignalState.REJECTED
    assert told["sentence"]
    write(answered, signal(1)[:701])
    look(answered, now=NOW, pause=at_once)
    [_, refused] = answer_of(answered)
    assert (refused["state"], refused["symbol"]) == ("refused", "EURJPY")
    acknowledge(answered, str(outcome.raw_id))
    look(answered, now=NOW, pause=at_once)
    assert [told["id"] for told in answer_of(answered)] == [refused["id"]]
    look(answered, now=NOW, pause=at_once)
    mine = [event for event in events(answered) if event.kind == EventKind.ACKNOWLEDGED]
    assert [(event.raw_id, event.signal_id) for event in mine] == [(outcome.raw_id, outcome.signal_id)]


@pytest.mark.parametrize("encoding", ["ascii", "utf-16", "utf-16-le", "utf-8-sig"])
def test_acknowledgements_are_read_in_whatever_encoding_and_never_by_half(answered: Source, encoding: str) -> None:
    ids = []
    for number in range(3):
        write(answered, signal(number))
        outcome = look(answered, now=NOW)
        assert outcome is not None
        ids.append(str(outcome.raw_id))
    acknowledge(answered, ids[0], ids[1][:-1], "nonsense", str(uuid4()), encoding=encoding)
    look(answered, now=NOW)
    assert [told["id"] for told in answer_of(answered)] == ids[1:]


def test_an_id_of_somebody_elses_message_acknowledges_nothing(cast: Team, answered: Source) -> None:
    other = file_source(cast.other.pk)
    write(other, signal(1))
    theirs = look(other, now=NOW)
    assert theirs is not None
    acknowledge(answered, str(theirs.raw_id))
    look(answered, now=NOW)
    assert EventKind.ACKNOWLEDGED not in kinds(other)


def test_twenty_are_answered_and_the_oldest_dropped(answered: Source) -> None:
    ids = []
    for number in range(22):
        write(answered, signal(number))
        outcome = look(answered, now=NOW + timedelta(seconds=number))
        assert outcome is not None
        ids.append(str(outcome.raw_id))
    assert [told["id"] for told in answer_of(answered)] == ids[2:]


def test_whoever_reads_an_answer_sees_it_whole(answered: Source) -> None:
    write(answered, signal(0))
    look(answered, now=NOW)
    is_done = threading.Event()
    seen: set[int] = set()
    wrong: list[str] = []

    def read() -> None:
        while not is_done.is_set():
            try:
                seen.add(len(answer_of(answered)))
            except (OSError, ValueError) as error:
                wrong.append(repr(error))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 30):
        write(answered, signal(number))
        look(answered, now=NOW)
    is_done.set()
    reader.join()
    assert wrong == []
    assert len(seen) > 5
    assert sorted(path.name for path in place(answered).parent.iterdir()) == [NAME, f"{NAME}.answer.json"]


def test_an_answer_follows_no_link_and_overwrites_nobody(cast: Team, answered: Source) -> None:
    victim = file_source(cast.other.pk)
    write(victim, signal(7))
    (place(answered).parent / f"{NAME}.answer.json").symlink_to(place(victim))
    (place(answered).parent / f"{NAME}.ack").symlink_to(place(victim))
    write(answered, signal(1))
    look(answered, now=NOW)
    assert place(victim).read_bytes() == signal(7)
    assert len(answer_of(answered)) == 1


def test_an_answer_that_cannot_be_written_is_said_and_loses_nothing(answered: Source) -> None:
    blocked = place(answered).parent / f"{NAME}.answer.json"
    blocked.mkdir()
    write(answered, signal(1))
    assert look(answered, now=NOW) is not None
    assert state(answered).code == Code.FILE_ANSWER_UNWRITTEN
    blocked.rmdir()
    look(answered, now=NOW)
    assert (state(answered).code, len(answer_of(answered))) == ("", 1)


def test_an_answer_that_says_the_same_is_not_written_again(answered: Source) -> None:
    write(answered, signal(1))
    look(answered, now=NOW)
    with patch("trading.files.disk.write", side_effect=AssertionError):
        look(answered, now=NOW)


# --- The command ------------------------------------------------------------------------------------------------------
def command(*words: str) -> str:
    out = StringIO()
    call_command("source_file", *words, stdout=out)
    return out.getvalue()


def test_operators_add_list_and_remove(cast: Team) -> None:
    name, path = f"Desk \u00e4 {uuid4().hex[:8]}", f"desk/{uuid4().hex}.json"
    made = command(
        "add",
        name,
        "--path",
        f"./{path}",
        "--organization",
        str(cast.house.pk),
        "--zone",
        "Europe/Helsinki",
        "--answers",
    )
    assert made.isascii()
    assert path in made
    assert (disk.home() / "desk").is_dir()
    [line] = [line for line in json.loads(command("list", "--json"))["sources"] if line["path"] == path]
    assert (line["name"], line["organization_id"], line["answers"], line["file"]) == (
        name, str(cast.house.pk), True, None,
    )  # fmt: skip
    with ledger_of(cast.house.pk):
        source = Source.objects.get(pk=line["id"])
    assert (source.clock_zone, source.kind) == ("Europe/Helsinki", "ea_file")
    write(source, signal(1))
    look(source, now=NOW)
    listing = command("list")
    assert listing.isascii()
    assert "0 missed" in listing
    with pytest.raises(CommandError, match=r"reads .* already"):
        command("add", "Other", "--path", path, "--platform")
    with pytest.raises(CommandError, match="called"):
        command("add", name, "--path", f"{path}2", "--organization", str(cast.house.pk))
    command("remove", line["id"])
    assert path not in command("list")
    assert [raw.state for raw in rows(source)[0]] == [RawState.READ]
    with pytest.raises(CommandError, match="no source"):
        command("remove", line["id"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--organization", str(uuid4())], "no organization"),
        (["--platform", "--zone", "Mars/Base"], "not a time zone"),
        (["--platform", "--shift", "900"], "beside a time zone"),
        (["--platform", "--zone", "Europe/Helsinki", "--shift", "17"], "quarter hours"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(words: list[str], said: str) -> None:
    path = f"{uuid4().hex}/x.json"
    with pytest.raises(CommandError, match=said):
        command("add", "X", "--path", path, *words)
    assert path not in command("list")


def test_names_of_ours_are_not_read() -> None:
    with pytest.raises(CommandError, match="written beside"):
        command("add", "X", "--platform", "--path", "x.json.answer.json")
