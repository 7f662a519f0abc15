"""The MQL5 client, run through a C++ shim of the calls it uses; what it sends is read by the server's own parser."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mikrobot_platform.kernel.decisions import Refusal
from mikrobot_platform.kernel.signals import SignalDraft
from trading.rehearsal.messages import CLIENTS, ENCODINGS, SIGNALS, SOURCE, read
from trading.sources.ea_push import Envelope, verify

COMPILER = shutil.which("g++") or shutil.which("clang++")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler to run the MQL5 client's logic with")

HERE = Path(__file__).parent / "mql"
CLIENT = CLIENTS / "metatrader" / "MikrobotPush.mq5"
SECRET = "correct-horse-battery-staple-0001"
START = 1_754_296_111
SIGNAL_FILE = "mikrobot_4phase_signal.json"


def as_cpp(source: str) -> str:
    """Turn the few things in which MQL5 is not C++: properties, inputs, arrays without a size."""
    source = re.sub(r"^#property.*$", "", source, flags=re.MULTILINE)
    source = re.sub(r"^input ", "", source, flags=re.MULTILINE)
    return re.sub(r"\b(uchar|char|string) (&?)(\w+)\[\]", r"Array<\1> \2\3", source)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("mql")
    (place / "client.inc").write_text(as_cpp(CLIENT.read_text(encoding="utf-8")), encoding="utf-8")
    built = place / "client"
    done = subprocess.run(
        [str(COMPILER), "-std=c++17", "-O1", "-Wall", "-Werror", f"-I{HERE}", f"-I{place}", str(HERE / "main.cpp"),
         "-o", str(built)],
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return built


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request as it left."""

    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def parts(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.body)
        return found


class Terminal:
    """A terminal that runs the client; closing and opening it again is a restart."""

    def __init__(self, program: Path, home: Path) -> None:
        self.home = home
        self._program = program

    def run(self, *commands: str, init: bool = True) -> tuple[list[Sent], list[str]]:
        head = [f"source {SOURCE}", f"secret {SECRET}", f"utc {START}", "ahead 10800"]
        done = subprocess.run(
            [str(self._program), str(self.home)],
            input="\n".join([*head, *(["init"] if init else []), *commands]) + "\n",
            capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
        return list(_requests(done.stdout)), done.stdout.splitlines()

    def write(self, raw: bytes) -> None:
        (self.home / SIGNAL_FILE).write_bytes(raw)


def _requests(output: str) -> Iterator[Sent]:
    for line in output.splitlines():
        if line.startswith("request "):
            _, method, url, headers, body = line.split(" ")
            assert method == "POST"
            pairs = (row.split(": ", 1) for row in bytes.fromhex(headers).decode().strip().split("\r\n"))
            yield Sent(url=url, headers=dict(pairs), body=bytes.fromhex(body))


@pytest.fixture
def terminal(program: Path, tmp_path: Path) -> Terminal:
    return Terminal(program, tmp_path)


def understood(sent: Sent) -> SignalDraft | Refusal:
    now = datetime.fromtimestamp(int(sent.headers["X-Mikrobot-Timestamp"]), tz=UTC)
    assert verify(Envelope.of(sent.headers), sent.body, secrets=[SECRET.encode()], now=now) is None
    found = read("ea_push", sent.body)
    assert isinstance(found, SignalDraft | Refusal)
    return found


def play(terminal: Terminal, program: Path, steps: list[str | bytes]) -> tuple[list[Sent], list[str]]:
    """Feed commands one by one; bytes are written to the signal file at their place in the story."""
    process = subprocess.Popen(
        [str(program), str(terminal.home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    head = [f"source {SOURCE}", f"secret {SECRET}", f"utc {START}", "ahead 10800", "init"]
    lines: list[str] = []
    for step in [*head, *steps]:
        if isinstance(step, bytes):
            process.stdin.write("queue\n")  # everything before has been done when this is answered
            process.stdin.flush()
            while not (line := process.stdout.readline()).startswith("queue"):
                lines.append(line.rstrip("\n"))
            terminal.write(step)
        else:
            process.stdin.write(step + "\n")
    rest, _ = process.communicate(timeout=30)
    lines += rest.splitlines()
    return list(_requests("\n".join(lines))), lines


def wide(name: str) -> bytes:
    return ENCODINGS["utf16_marked"](SIGNALS[name])


@pytest.mark.parametrize("length", [1, 55, 56, 64, 1_000])
@pytest.mark.parametrize("key_length", [1, 63, 64, 65, 200])
def test_its_hmac_is_the_standard_one(terminal: Terminal, length: int, key_length: int) -> None:
    text, secret = "x" * length, "s" * key_length
    _, lines = terminal.run(f"secret {secret}", f"hmac {text}", init=False)
    assert lines == ["hmac " + hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()]


@pytest.mark.parametrize("encoding", ["utf16", "utf16_marked", "ascii"])
def test_a_signal_arrives_as_the_file_has_it(terminal: Terminal, program: Path, encoding: str) -> None:
    raw = ENCODINGS[encoding](SIGNALS["eurjpy_bear"])
    sent, _ = play(terminal, program, [raw, "answer 200", "tick", "tick", "queue"])
    assert len(sent) == 1
    assert sent[0].url == f"https://example.com/hooks/ea/{SOURCE}/"
    pushed, filed = understood(sent[0]), read("ea_file", wide("eurjpy_bear"))
    assert isinstance(pushed, SignalDraft)
    assert isinstance(filed, SignalDraft)
    assert (pushed.phases, pushed.side, pushed.symbol) == (filed.phases, filed.side, filed.symbol)
    assert pushed.said_at == datetime.fromtimestamp(START, tz=UTC)
    assert dict(pushed.extras)["server_time"] == "2025.08.04 11:28:31"
    assert dict(pushed.extras)["broker"] == 'Demo "A"\\Server'


def test_what_lay_there_before_is_not_news(terminal: Terminal) -> None:
    terminal.write(wide("eurjpy_bull"))
    sent, _ = terminal.run("tick", "tick")
    assert sent == []


def test_a_torn_or_locked_file_waits(terminal: Terminal, program: Path) -> None:
    raw = wide("eurjpy_bull")
    torn: list[str | bytes] = [step for end in (0, 1, 2, 3, 700, len(raw) - 2) for step in (raw[:end], "tick")]
    sent, _ = play(
        terminal, program, [*torn, raw + raw[-80:], "tick", raw, "lock 1", "tick", "answer 200", "lock 0", "tick"]
    )
    assert [part.parts["sequence"] for part in sent] == [1]


def test_a_message_is_repeated_until_it_is_acknowledged(terminal: Terminal, program: Path) -> None:
    steps: list[str | bytes] = [wide("eurjpy_bull"), "answer 500", "tick"]
    clock = START
    for status in ("answer 429", "answer 401", "answer 409", "answer 200"):
        clock += 60
        steps += [f"utc {clock}", status, "tick", "tick"]
    sent, _ = play(terminal, program, steps)
    assert len(sent) == 5
    assert {part.body for part in sent} == {sent[0].body}
    for name in ("X-Mikrobot-Timestamp", "X-Mikrobot-Nonce", "X-Mikrobot-Signature"):
        assert len({part.headers[name] for part in sent}) == 5
    for part in sent:
        understood(part)


def test_waiting_grows_and_the_queue_keeps_its_order(terminal: Terminal, program: Path) -> None:
    steps: list[str | bytes] = []
    for name in ("eurjpy_bull", "eurusd_bull", "ferrari_bear"):
        steps += [wide(name), "tick"]
    sent, _ = play(terminal, program, [*steps, "tick", "queue"])
    assert len(sent) == 1, "one attempt, then it waits"
    again, lines = terminal.run(f"utc {START + 90}", "answer 200", "answer 200", "answer 200", "tick", "queue")
    assert [part.parts["sequence"] for part in again] == [1, 2, 3]
    assert lines[-1] == "queue 0"


def test_nothing_is_lost_in_a_restart_and_numbers_go_on(terminal: Terminal, program: Path) -> None:
    first, _ = play(terminal, program, [wide("eurjpy_bull"), "tick"])
    second, _ = play(terminal, program, ["answer 200", "tick", wide("eurjpy_bear"), "answer 200", "tick"])
    assert [part.parts["sequence"] for part in first + second] == [1, 1, 2]
    assert first[0].body == second[0].body
    assert len({part.parts["stream"] for part in first + second}) == 1


@pytest.mark.parametrize("status", [413, 422])
def test_what_is_refused_for_good_is_not_repeated(terminal: Terminal, program: Path, status: int) -> None:
    sent, lines = play(terminal, program, [wide("eurjpy_bull"), f"answer {status}", "tick", "tick", "queue"])
    assert len(sent) == 1
    assert lines[-1] == "queue 0"


def test_a_heartbeat_when_nothing_was_sent(terminal: Terminal) -> None:
    sent, _ = terminal.run("tick", f"utc {START + 30}", "answer 200", "tick", "tick")
    assert len(sent) == 1
    found = understood(sent[0])
    assert isinstance(found, Refusal)
    assert found.code == "dialect.heartbeat"


def test_a_full_queue_drops_the_oldest_and_leaves_a_gap(terminal: Terminal, program: Path) -> None:
    steps: list[str | bytes] = ["limit 2"]
    for name in ("eurjpy_bull", "eurusd_bull", "ferrari_bear"):
        steps += [wide(name), "tick"]
    sent, lines = play(terminal, program, [*steps, f"utc {START + 90}", "answer 200", "answer 200", "tick", "queue"])
    assert [part.parts["sequence"] for part in sent[1:]] == [2, 3]
    assert lines[-1] == "queue 0"


def test_it_does_not_start_without_a_secret(terminal: Terminal) -> None:
    _, lines = terminal.run("secret short", "init", init=False)
    assert lines[-1] == "init 32767"


@pytest.mark.parametrize("end", ["", "/", "//", "_b", "/_n", "_t/_b"])
def test_what_was_pasted_is_taken_as_it_was_meant(terminal: Terminal, end: str) -> None:
    around = "_b_t{}_n_b".format
    setup = [f"server _bhttps://example.com{end}", f"source {around(SOURCE)}", f"secret {around(SECRET)}"]
    sent, _ = terminal.run(*setup, "init", f"utc {START + 30}", "answer 200", "tick", init=False)
    assert sent[0].url == f"https://example.com/hooks/ea/{SOURCE}/"
    assert sent[0].parts["source"] == SOURCE
    found = understood(sent[0])
    assert isinstance(found, Refusal)
    assert found.code == "dialect.heartbeat"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (["answer 401"], "status 401: Secret is not that of this source, or this computer's clock is more than five"),
        (["answer 403"], "status 403: the source is switched off"),
        (["answer 404"], f"status 404: nothing answers at https://example.com/hooks/ea/{SOURCE}/; compare ServerUrl"),
        ([], "status -1: the request did not leave; allow WebRequest for https://example.com in Tools"),
    ],
)
def test_it_says_what_an_answer_means(terminal: Terminal, answer: list[str], said: str) -> None:
    _, lines = terminal.run(f"utc {START + 30}", *answer, "tick")
    [told] = [line for line in lines if "not acknowledged" in line]
    assert said in told
    assert SECRET not in told


@pytest.mark.parametrize("setup", ["server _b", "source _n", f"secret {'_b' * 40}"])
def test_blanks_are_no_setting(terminal: Terminal, setup: str) -> None:
    head = [f"source {SOURCE}", f"secret {SECRET}"]
    _, lines = terminal.run(*head, setup, "init", init=False)
    assert lines[-1] == "init 32767"


def test_its_header_says_that_it_was_not_compiled() -> None:
    assert "NOT COMPILED HERE" in CLIENT.read_text(encoding="utf-8")[:600]
