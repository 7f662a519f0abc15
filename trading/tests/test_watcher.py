"""The watcher: every write is read or counted as missed, none wrong, none twice; nobody waits for the database."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal as signals
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from accounts.models.audit import PLATFORM_ID
from accounts.tests.people import Team, team
from mikrobot_platform import heartbeats
from mikrobot_platform.kernel.decisions import Code, Refusal
from mikrobot_platform.stores import redis_client
from trading.files import arrivals, disk
from trading.files.arrivals import PAUSES_MS
from trading.files.disk import Version
from trading.files.events import Events, Told
from trading.files.sights import Sight
from trading.files.watched import SILENCE_MS, Tally, Watched
from trading.files.watcher import Backlog
from trading.ledger import ledger_of
from trading.models import RawState, ReadBy, Source
from trading.tests.files import NAME, file_source, place, signal, state, write
from trading.tests.sources import NOW, rows

pytestmark = pytest.mark.early


@pytest.fixture(scope="module", name="cast")
def shared_cast() -> Team:
    return team()


@pytest.fixture(name="source")
def own_source(cast: Team) -> Source:
    return file_source(cast.house.pk)


def until(is_true: Callable[[], bool], seconds: int = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


# --- Counting ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("story", "missed"),
    [
        ("wr", 0),
        ("rw", 0),  # read before it was announced
        ("rwrw", 0),
        ("wrw", 1),  # two were announced and one text was there
        ("wwr", 1),
        ("wwwr", 2),
        ("rwww", 2),
        ("rrww", 0),
        ("wrwrw", 1),
        ("", 0),
    ],
)
def test_what_was_announced_and_not_read_is_gone(story: str, missed: int) -> None:
    """Let each w be announced (with the file whole) and each r be a version that was new."""
    tally = Tally()
    gone = 0
    for place_, step in enumerate(story):
        if step == "r":
            tally.read()
        else:
            tally.announced()
            if story[place_ + 1 : place_ + 2] != "r":  # else this read belongs to it
                gone += tally.settle()
        if step == "r" and story[place_ - 1 : place_] == "w":
            gone += tally.settle()
    assert gone == missed


@given(st.lists(st.sampled_from(["write", "look", "announce"]), max_size=60))
def test_read_and_missed_are_what_was_written(deeds: list[str]) -> None:
    """Whatever the order of writing, looking and hearing of it: in the end every write is accounted for once."""
    tally, written, announced, seen, missed = Tally(), 0, 0, set(), 0

    def look() -> None:
        if written and written not in seen:
            seen.add(written)
            tally.read()

    for deed in [*deeds, *["announce"] * 60]:
        if deed == "write":
            written += 1
        elif deed == "look":
            look()
        elif announced < written:
            announced += 1
            tally.announced()
            look()
            missed += tally.settle()
    assert len(seen) + missed == written


def test_who_waits_in_vain_for_an_announcement_waits_no_more() -> None:
    tally = Tally()
    tally.read()
    assert not tally.is_silent(0)
    assert not tally.is_silent(SILENCE_MS)
    assert tally.is_silent(SILENCE_MS + 1)
    tally.announced()
    assert tally.settle() == 1
    tally.read()
    assert not tally.is_silent(0)
    tally.announced()
    assert not tally.is_silent(SILENCE_MS * 9)


# --- One file ---------------------------------------------------------------------------------------------------------
class OneFile:
    """A file under the eyes of a `Watched`, with a clock of its own."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.sights: list[Sight] = []
        self.now_ms = 0
        self.watched = Watched(source, lambda _source, sight: self.sights.append(sight))
        self.look()

    def write(self, body: bytes) -> None:
        write(self.source, body)

    def hear(self, *told: Told) -> None:
        for one in told or (Told.CHANGED, Told.CLOSED):
            self.watched.told(one, now=NOW, now_ms=self.now_ms)

    def look(self, after_ms: int = 0) -> None:
        self.now_ms += after_ms
        self.watched.look(now=NOW + timedelta(milliseconds=self.now_ms), now_ms=self.now_ms)

    @property
    def bodies(self) -> list[bytes]:
        return [sight.found.body for sight in self.sights if isinstance(sight.found, Version)]

    @property
    def missed(self) -> int:
        return sum(sight.missed for sight in self.sights)


@pytest.fixture(name="one")
def one_file(source: Source) -> OneFile:
    return OneFile(source)


def test_a_version_is_handed_on_once_whoever_reads_it_first(one: OneFile) -> None:
    one.write(signal(1))
    one.hear()
    one.look(250)
    one.write(signal(2))
    one.look(250)
    one.hear()
    one.look(250)
    assert (one.bodies, one.missed) == ([signal(1), signal(2)], 0)
    assert {sight.how for sight in one.sights[1:]} == {ReadBy.EVENTS}


def test_a_write_whose_text_is_gone_when_we_hear_of_it_was_missed(one: OneFile) -> None:
    one.write(signal(1))
    one.write(signal(2))
    one.hear(Told.CHANGED, Told.CLOSED, Told.CHANGED, Told.CLOSED)
    assert (one.bodies[0], one.missed) == (signal(2), 1)


def test_what_was_there_at_first_is_announced_to_nobody(source: Source) -> None:
    write(source, signal(0))
    one = OneFile(source)
    one.write(signal(1))
    one.write(signal(2))
    one.hear(Told.CHANGED, Told.CLOSED, Told.CHANGED, Told.CLOSED)
    assert one.missed == 1


def test_who_only_touched_the_file_has_written_nothing(one: OneFile) -> None:
    one.write(b"")
    one.hear(Told.CLOSED)
    one.write(signal(1))
    one.hear()
    one.hear(Told.CLOSED)
    assert (one.bodies, one.missed) == ([signal(1)], 0)


def test_a_torn_text_is_read_again_soon_and_never_handed_on_if_it_heals(one: OneFile) -> None:
    one.write(signal(1)[:701])
    assert one.watched.told(Told.STIRRED, now=NOW, now_ms=one.now_ms), "it wants to be looked at"
    assert one.watched.due_ms(one.now_ms, 250) == PAUSES_MS[0]
    one.write(signal(1))
    one.look(PAUSES_MS[0])
    one.hear()
    assert one.watched.due_ms(one.now_ms, 250) == 250
    assert (one.bodies, one.missed) == ([signal(1)], 0)


def test_what_stays_torn_is_handed_on_once(one: OneFile) -> None:
    one.write(signal(1)[:701])
    one.hear()
    for pause in PAUSES_MS:
        assert one.bodies == []
        one.look(pause)
    assert one.bodies == [signal(1)[:701]]
    one.look(250)
    one.look(250)
    assert len(one.bodies) == 1
    one.write(signal(2, symbol="USDJPY"))
    one.hear()
    assert (one.bodies[1:], one.missed) == ([signal(2, symbol="USDJPY")], 1), "nobody ever read it whole"


def test_a_write_that_was_announced_into_the_next_one_was_missed(one: OneFile) -> None:
    one.write(signal(1))
    one.write(signal(2)[:701])
    one.hear()
    one.write(signal(2))
    one.hear()
    assert (one.bodies, one.missed) == ([signal(2)], 1)


def test_without_events_a_torn_text_that_was_replaced_is_known(one: OneFile) -> None:
    one.write(signal(1, symbol="USDJPY")[:701])
    one.look(250)
    one.write(signal(2))
    one.look(PAUSES_MS[0])
    assert [sight.is_over_torn for sight in one.sights if isinstance(sight.found, Version)] == [True]
    assert one.sights[-1].how == ReadBy.POLL


def test_where_events_stop_coming_it_says_so(one: OneFile) -> None:
    one.write(signal(1))
    one.hear()
    one.write(signal(2))
    one.look(250)
    for _ in range(10):
        one.look(250)
    one.write(signal(3))
    one.look(250)
    assert [sight.how for sight in one.sights if isinstance(sight.found, Version)] == ["events", "events", "poll"]


def test_a_file_at_rest_is_opened_twice_and_then_left_alone(one: OneFile, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    read = disk.read

    def counted(path: str) -> Version | Refusal:
        reads.append(path)
        return read(path)

    monkeypatch.setattr(disk, "read", counted)
    one.write(signal(1))
    for _ in range(20):
        one.look(250)
    assert len(reads) == 2
    at = place(one.source).stat().st_mtime_ns
    one.write(signal(2))  # the same size, and the clock stood still
    os.utime(place(one.source), ns=(at, at))
    one.hear()
    assert one.bodies[-1] == signal(2)


def test_what_is_wrong_is_handed_on_once_and_so_is_its_end(one: OneFile) -> None:
    for _ in range(5):
        one.look(250)
    one.write(signal(1))
    one.look(250)
    place(one.source).unlink()
    for _ in range(5):
        one.look(250)
    shutil.rmtree(place(one.source).parent)
    for _ in range(5):
        one.look(250)
    found = [sight.found.code if isinstance(sight.found, Refusal) else "" for sight in one.sights]
    assert found == [Code.FILE_MISSING, "", Code.FILE_MISSING, Code.FILE_FOLDER_MISSING]


# --- What waits for the database --------------------------------------------------------------------------------------
def a_sight(number: int, missed: int = 0) -> Sight:
    version = Version(changed_ns=number, size=100, sha256=b"", body=b"x" * 100)
    return Sight(found=version, at=NOW, how=ReadBy.EVENTS, missed=missed)


def test_when_memory_is_full_the_oldest_goes_and_is_counted_at_its_own_file(source: Source, cast: Team) -> None:
    other = Source(id=uuid4(), organization_id=cast.house.pk)
    backlog = Backlog(most_bytes=3 * 1_100)
    backlog.put(source, a_sight(1, missed=2))
    backlog.put(other, a_sight(2))
    for number in range(3, 6):
        backlog.put(source, a_sight(number))
    backlog.close()
    taken = []
    while (item := backlog.take()) is not None:
        assert isinstance(item[1].found, Version)
        taken.append((item[0].pk, item[1].found.changed_ns, item[1].missed))
    assert taken == [(source.pk, 3, 3), (source.pk, 4, 0), (source.pk, 5, 0)]
    backlog = Backlog(most_bytes=1)
    backlog.put(source, a_sight(1))
    assert len(backlog) == 1, "one is always kept"


# --- Being told -------------------------------------------------------------------------------------------------------
Heard = tuple[Events, list[tuple[str, Told]]]


@pytest.fixture(name="told")
def events_of(source: Source) -> Iterator[Heard]:
    heard: list[tuple[str, Told]] = []
    found = Events(lambda path, told: heard.append((path.name, told)))
    found.start()
    yield found, heard
    found.stop()


needs_exact_events = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere writes are not announced exactly")


@needs_exact_events
def test_every_write_is_announced_and_no_two_are_one(
    source: Source, told: tuple[Events, list[tuple[str, Told]]]
) -> None:
    found, heard = told
    found.follow([place(source).parent])
    for number in range(200):
        write(source, signal(number))
    aside = place(source).parent / "aside"
    aside.write_bytes(b"x")
    aside.rename(place(source))
    until(lambda: (NAME, Told.ARRIVED) in heard)
    mine = [what for name, what in heard if name == NAME]
    assert mine.count(Told.CLOSED) == 200
    assert mine[:2] == [Told.CHANGED, Told.CLOSED]
    assert Told.STIRRED not in mine


def _is_heard(found: Events, heard: list[tuple[str, Told]], source: Source, number: int) -> bool:
    """Follow the folder, write, and tell whether that was announced; the end of the old folder may take a moment."""
    found.follow([place(source).parent])
    write(source, signal(number))
    time.sleep(0.05)
    return (NAME, Told.CLOSED) in heard


@needs_exact_events
def test_a_folder_that_was_made_again_is_followed_again(source: Source, told: Heard) -> None:
    found, heard = told
    folder = place(source).parent
    shutil.rmtree(folder)
    found.follow([folder])
    disk.make_folder(source.path)
    found.follow([folder])
    write(source, signal(1))
    until(lambda: (NAME, Told.CLOSED) in heard)
    heard.clear()
    shutil.rmtree(folder)
    disk.make_folder(source.path)
    until(lambda: _is_heard(found, heard, source, 2))
    found.follow([])
    heard.clear()
    write(source, signal(3))
    found.follow([folder])
    write(source, signal(4))
    until(lambda: (NAME, Told.CLOSED) in heard)
    assert heard.count((NAME, Told.CLOSED)) == 1


# --- The process ------------------------------------------------------------------------------------------------------
@contextmanager
def watching(*sources: Source, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the real command for these sources; it must end well when it is asked to."""
    words = [word for source in sources for word in ("--source", str(source.pk))]
    environment = {**os.environ, "MIKROBOT_BOOTSTRAP": "off", "DATABASE_POOL_SIZE": "0", **variables}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "watch_files", *words], cwd=settings.BASE_DIR, env=environment
    )
    try:
        yield process
        process.send_signal(signals.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def is_known(source: Source) -> bool:
    with contextlib.suppress(Exception):
        return state(source).looked_at is not None
    return False


@needs_exact_events
def test_everything_that_is_written_fast_is_read_or_counted(cast: Team) -> None:
    source = file_source(cast.house.pk)
    with watching(source):
        until(lambda: is_known(source))
        for number in range(40):
            write(source, signal(number))
            if number % 4 == 3:
                time.sleep(0.02)
        until(lambda: bool(rows(source)[0]) and bytes(rows(source)[0][-1].body) == signal(39))
        until(lambda: len(rows(source)[0]) + state(source).missed >= 40)
    raws, found = rows(source)
    assert {raw.state for raw in raws} == {RawState.READ}, "none twice"
    assert {bytes(raw.body) for raw in raws} <= {signal(number) for number in range(40)}, "none wrong"
    assert len(found) + state(source).missed == 40
    assert state(source).read_by == ReadBy.EVENTS
    assert len(found) >= 5


def test_the_watcher_and_the_poll_at_once_keep_each_version_once(cast: Team) -> None:
    source = file_source(cast.house.pk)
    with watching(source):
        until(lambda: is_known(source))
        for number in range(40):
            write(source, signal(number))
            arrivals.poll(now=NOW, among=[source])
            time.sleep(0.01)
        until(lambda: len(rows(source)[0]) + state(source).missed >= 40)
    raws, found = rows(source)
    assert {raw.state for raw in raws} == {RawState.READ}
    assert len({bytes(raw.body) for raw in raws}) == len(raws) == len(found)
    assert len(found) + state(source).missed == 40


def test_sources_and_folders_are_picked_up_when_they_come(cast: Team) -> None:
    late, gone = file_source(PLATFORM_ID, is_enabled=False), file_source(cast.house.pk)
    place(gone).parent.rmdir()
    with watching(late, gone):
        until(lambda: is_known(gone))
        disk.make_folder(gone.path)
        write(gone, signal(1))
        until(lambda: len(rows(gone)[1]) == 1)
        assert not is_known(late)
        write(late, signal(2))
        with ledger_of(PLATFORM_ID):
            Source.objects.filter(pk=late.pk).update(is_enabled=True)
        until(lambda: len(rows(late)[1]) == 1)


class Wire:
    """The way to PostgreSQL, which can be cut and mended."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listening: socket.socket | None = None
        self._pairs: list[socket.socket] = []
        self._lock = threading.Lock()
        self.port = 0

    def mend(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def cut(self) -> None:
        with self._lock:
            if self._listening is not None:
                self._listening.shutdown(socket.SHUT_RDWR)
                self._listening.close()
                self._listening = None
            for end in self._pairs:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listening.accept()
                far = socket.create_connection(self._server)
                with self._lock:
                    self._pairs += [near, far]
                threading.Thread(target=_pass_on, args=(near, far), daemon=True).start()


def _pass_on(near: socket.socket, far: socket.socket) -> None:
    with selectors.DefaultSelector() as waiting, near, far, contextlib.suppress(OSError):
        waiting.register(near, selectors.EVENT_READ, far)
        waiting.register(far, selectors.EVENT_READ, near)
        while True:
            for key, _ in waiting.select():
                text = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                if not text:
                    return
                key.data.sendall(text)


@needs_exact_events
def test_while_the_database_is_away_what_is_written_waits(cast: Team) -> None:
    source, texts = file_source(cast.house.pk), [signal(number) for number in range(11)]
    address = urlsplit(os.environ["DATABASE_ENGINE_URL"])
    wire = Wire(address.hostname or "127.0.0.1", address.port or 5432)
    wire.mend()
    login = address.netloc.rpartition("@")[0]
    through = address._replace(netloc=f"{login}@127.0.0.1:{wire.port}").geturl()
    with watching(source, DATABASE_ENGINE_URL=through):
        until(lambda: is_known(source))
        write(source, signal(0))
        until(lambda: len(rows(source)[1]) == 1)
        wire.cut()
        for text in texts[1:]:
            write(source, text)
            time.sleep(0.05)
        assert len(rows(source)[1]) == 1
        wire.mend()
        until(lambda: len(rows(source)[0]) + state(source).missed >= 11)
    raws, found = rows(source)
    numbers = [texts.index(bytes(raw.body)) for raw in raws]
    assert numbers == sorted(set(numbers)), "in order, each once"
    assert (numbers[0], numbers[-1], len(found) + state(source).missed) == (0, 10, 11)
    assert len(numbers) > 5, "on a busy machine one or two may be overwritten before they are read"
    wire.cut()


def test_the_whole_watcher_gives_signs_of_life_and_ends_when_asked() -> None:
    redis_client().delete("mikrobot:heartbeat:watcher")
    source = file_source(PLATFORM_ID)
    with watching(source):
        until(lambda: is_known(source))
    assert heartbeats.read(heartbeats.WATCHER) is None, "one that watches some speaks for nobody"
    with watching() as process:
        until(lambda: heartbeats.read(heartbeats.WATCHER) is not None)
        found = heartbeats.read(heartbeats.WATCHER)
    assert found is not None
    assert found.pid == process.pid


def test_the_drill_counts_what_it_wrote_and_clears_up() -> None:
    redis_client().delete("mikrobot:heartbeat:watcher")  # so that it starts one of its own
    done = subprocess.run(
        [sys.executable, "-m", "django", "drill", "watcher", "--signals", "40", "--per-second", "20", "--json"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert results["written"] == results["read"] + results["missed"] == 40
    assert (results["wrong"], results["twice"], results["own_watcher"]) == (0, 0, 1)
    assert not list(disk.home().glob("drill-*"))
