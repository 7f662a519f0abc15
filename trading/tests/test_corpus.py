"""The corpus: nothing in it becomes a wrong signal, nothing raises, and every refusal has a name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mikrobot_platform.kernel import registry
from mikrobot_platform.kernel.decisions import Code, Refusal
from mikrobot_platform.kernel.signals import SignalDraft
from trading.rehearsal.cases import Spoilt
from trading.rehearsal.fuzz import fuzz
from trading.rehearsal.messages import BODIES, ENCODINGS, SIGNALS, code_of, context, dialect, read
from trading.rehearsal.samples import Golden, golden, spoilt, torn
from trading.sources import Dialect, Torn, dedupe_key, plain
from trading.tests.corpus_writer import files

GOLDEN = golden()
SPOILT = list(spoilt())


def test_the_corpus_is_large_enough() -> None:
    assert len(GOLDEN) + len(SPOILT) >= 200
    assert len({case.name for case in SPOILT}) == len(SPOILT)
    assert len({code for case in SPOILT for code in case.codes}) >= 25


@pytest.mark.parametrize("kind", registry.SOURCES)
def test_every_source_keeps_the_treaty(kind: str) -> None:
    found = dialect(kind)
    parse: object = found.parse
    assert callable(parse)
    assert found.name == kind
    reader: Dialect = found
    for raw in (b"", b"\0", b"{}", b"\xff" * 9, b"[" * 99_999, "\u20ac".encode(), bytes(70_000)):
        answer = reader.parse(raw, context=context())
        assert isinstance(answer, Refusal)
        assert answer.sentence


@pytest.mark.parametrize("sample", GOLDEN, ids=lambda sample: sample.name)
def test_a_stored_sample_is_read_as_it_is_written_down(sample: Golden) -> None:
    answer = read(sample.kind, sample.raw)
    if "refused" in sample.expected:
        assert isinstance(answer, Refusal)
        assert {"refused": answer.code, "sentence": answer.sentence} == sample.expected
    else:
        said = plain(answer)
        assert isinstance(said, dict)
        assert {key: value for key, value in said.items() if value not in (None, "", [])} == sample.expected


def test_the_stored_samples_are_the_ones_that_the_writer_makes() -> None:
    assert {sample.name: sample.raw for sample in GOLDEN} == dict(files())


@pytest.mark.parametrize("case", SPOILT, ids=lambda case: case.name)
def test_a_spoilt_message_is_refused_by_name(case: Spoilt) -> None:
    answer = read(case.kind, case.raw)
    assert code_of(answer) in case.codes
    refused = answer.becomes if isinstance(answer, Torn) else answer
    assert isinstance(refused, Refusal)
    assert refused.sentence.isprintable()


def test_no_cut_at_any_byte_becomes_a_signal() -> None:
    """A file that is being written is torn, not refused: reading again is worth it."""
    cuts = 0
    for name, kind, raw, announced in torn():
        cuts += 1
        answer = read(kind, raw, declared_bytes=announced)
        assert isinstance(answer, Torn if kind == "ea_file" else Refusal), name
    assert cuts > 20_000


@pytest.mark.parametrize("name", SIGNALS)
def test_every_encoding_says_the_same(name: str) -> None:
    answers = [read("ea_file", encode(SIGNALS[name])) for encode in ENCODINGS.values()]
    assert isinstance(answers[0], SignalDraft)
    assert all(answer == answers[0] for answer in answers)
    keys = {dedupe_key(answer, context=context()).text for answer in answers if isinstance(answer, SignalDraft)}
    assert len(keys) == 1


@pytest.mark.parametrize("name", BODIES)
def test_a_body_shorter_than_announced_is_unfinished(name: str) -> None:
    kind, text = BODIES[name]
    assert code_of(read(kind, text.encode(), declared_bytes=len(text) + 1)) is Code.UNFINISHED
    assert code_of(read(kind, text.encode(), declared_bytes=len(text))) is None


@pytest.mark.parametrize("seed", [7, 11])
def test_thousands_of_mutations(seed: int) -> None:
    report = fuzz(3_000, seed=seed)
    assert report.runs == 3_000
    assert (report.wrong, report.exceptions) == ([], [])
    assert report.same
    assert report.changed
    assert len(report.refused) >= 15


def test_the_fuzzer_sees_a_parser_that_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that cannot fail is a defect: let the reader make up a symbol."""
    monkeypatch.setattr("mikrobot_platform.kernel.market.symbol", lambda text: text.strip(" ")[:5])
    assert fuzz(2_000, seed=3).wrong or fuzz(2_000, seed=4).wrong


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(registry.SOURCES)), st.binary(max_size=400))
def test_any_bytes_are_refused_or_torn(kind: str, raw: bytes) -> None:
    assert code_of(read(kind, raw)) is not None


@settings(max_examples=300, deadline=None)
@given(st.text('0123456789,=.buyselEURUSDkpti"{} \t', max_size=60))
def test_any_line_is_answered(text: str) -> None:
    read("tradingview", text.encode())
