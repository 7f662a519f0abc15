"""The corpus: nothing in it becomes a wrong signal, nothing raises, and every refusal has a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mikrobot_platform.kernel import registry
from mikrobot_platform.kernel.decisions import Code, Refusal
from mikrobot_platform.kernel.signals import SignalDraft
from trading.rehearsal.cases import Golden, Spoilt
from trading.rehearsal.fuzz import fuzz
from trading.rehearsal.messages import BODIES, ENCODINGS, SIGNALS, as_stored, code_of, context, dialect, read
from trading.rehearsal.samples import check_corpus, golden, spoilt, torn
from trading.sources import Dialect, Parsed, Torn, dedupe_key
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
    assert as_stored(sample.answer()) == sample.expected


def test_the_stored_samples_are_the_ones_that_the_writer_makes() -> None:
    assert {sample.name: sample.raw for sample in GOLDEN} == dict(files())


@pytest.mark.parametrize("case", SPOILT, ids=lambda case: case.name)
def test_a_spoilt_message_is_refused_by_name(case: Spoilt) -> None:
    answer = case.answer()
    assert code_of(answer) in case.codes
    assert case.is_met_by(answer)


def test_the_whole_corpus_is_read_as_it_must_be() -> None:
    """With every cut: a file that is being written is torn, not refused, since reading again is worth it."""
    checked = check_corpus()
    assert checked.wrong == []
    assert checked.messages >= len(GOLDEN) + len(SPOILT) + len(SIGNALS) * len(ENCODINGS)
    assert checked.cuts > 20_000


def test_a_case_is_not_met_by_the_answer_of_another() -> None:
    """A test that cannot fail is a defect: give each case what it must not become."""
    signal, refusal = read("ea_file", SIGNALS["eurjpy_bull"].encode()), read("rest", b"{}")
    torn_file = read("ea_file", b"{")
    assert isinstance(signal, SignalDraft)
    assert isinstance(refusal, Refusal)
    assert isinstance(torn_file, Torn)
    assert not any(sample.is_met_by(replace(signal, symbol="EURJPX")) for sample in GOLDEN)
    assert not any(case.is_met_by(signal) or case.is_met_by(replace(refusal, code=Code.SOURCE_OFF)) for case in SPOILT)
    assert not any(cut.is_met_by(refusal if cut.kind == "ea_file" else torn_file) for cut in torn())
    assert not any(cut.is_met_by(signal) for cut in torn())


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
    assert report.same + report.changed + report.refused.total() == 3_000
    assert report.same
    assert report.changed
    assert len(report.refused) >= 15


def test_the_fuzzer_sees_a_parser_that_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that cannot fail is a defect: let the reader make up a symbol."""
    monkeypatch.setattr("mikrobot_platform.kernel.market.symbol", lambda text: text.strip(" ")[:5])
    assert fuzz(2_000, seed=3).wrong or fuzz(2_000, seed=4).wrong
    assert check_corpus().wrong


Reader = Callable[[Parsed | Torn, bytes], Parsed | Torn]


def _without_stop(answer: Parsed | Torn, _raw: bytes) -> Parsed | Torn:
    return replace(answer, stop=None) if isinstance(answer, SignalDraft) else answer


def _never(answer: Parsed | Torn, _raw: bytes) -> Parsed | Torn:
    return read("rest", b"") if isinstance(answer, SignalDraft) else answer


def _fails(answer: Parsed | Torn, raw: bytes) -> Parsed | Torn:
    return {True: answer}[b"\0\0" not in raw]


@pytest.mark.parametrize(
    ("spoil", "runs", "figure", "why"),
    [
        (_without_stop, 300, "wrong", "read as"),
        (_never, 0, "wrong", "not read"),
        (_fails, 300, "exceptions", "KeyError"),
    ],
)
def test_the_fuzzer_sees_a_parser_that_drops_refuses_or_fails(
    spoil: Reader, runs: int, figure: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worse(kind: str, raw: bytes, **told: Any) -> Parsed | Torn:
        return spoil(read(kind, raw, **told), raw)

    monkeypatch.setattr("trading.rehearsal.fuzz.read", worse)
    report = fuzz(300, seed=5)
    assert report.runs == runs
    assert getattr(report, figure)
    assert all(why in finding.why for finding in getattr(report, figure))


def test_the_fuzzer_sees_a_signature_that_holds_for_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trading.rehearsal.fuzz.verify", lambda *_args, **_options: None)
    assert {finding.kind for finding in fuzz(300, seed=5).wrong} == {"ea_push"}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(registry.SOURCES)), st.binary(max_size=400))
def test_any_bytes_are_refused_or_torn(kind: str, raw: bytes) -> None:
    assert code_of(read(kind, raw)) is not None


@settings(max_examples=300, deadline=None)
@given(st.text('0123456789,=.buyselEURUSDkpti"{} \t', max_size=60))
def test_any_line_is_answered(text: str) -> None:
    read("tradingview", text.encode())
