"""What is thought of signals that wait: judged in the order in which they came, all of one owner together.

What they share is asked once, however many signals, symbols and names of strategies they are. Only for this is the
database asked more: each source among them has a clock that is read and learns, and each strategy is read once in the
life of a process. Whoever judges holds the signals' rows, in the transaction of
their owner (`ledger_of`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel.decisions import Code
from mikrobot_platform.kernel.signals import ClockStamp, SignalDraft
from trading import facts
from trading.engine import stored
from trading.engine.broker_clock import ClockReading
from trading.engine.validate import validate
from trading.ledger import Judgement, note_judgements
from trading.models import Signal, SignalState, Source
from trading.models.sources import hold_each
from trading.reading import learn_clock, stamp_of
from trading.statements import SOURCES, row_of

_UNTAKEN = {Code.TOO_OLD: SignalState.EXPIRED}


def judge(signals: Sequence[Signal], *, now: datetime) -> None:
    """Judge signals of one owner for everybody who listens; one listener who takes a signal is enough for it.

    1. The clocks of their sources learn from all of them.
    2. Their symbols are held, all with one statement: of two signals for one symbol the second sees that the first was
       taken, whoever judges it.
    3. Decisions and what became of the signals are written as one statement.
    """
    drafts = {signal.pk: stored.read(SignalDraft, signal.draft) for signal in signals}
    clocks = dict(_clocks(signals, drafts))
    hold_each([(signals[0].organization_id, "judge", symbol) for symbol in {signal.symbol for signal in signals}])
    judges = facts.listeners(signals[0].organization_id, {draft.strategy for draft in drafts.values()})
    taken = facts.taken_lately(signals, [listener for several in judges.values() for listener in several])
    market = facts.market(signals, now)
    judgements: list[Judgement] = []
    for signal in sorted(signals, key=lambda signal: (signal.received_at, signal.pk)):
        draft, own = drafts[signal.pk], []
        for listener in judges[draft.strategy]:
            known = facts.signal_facts(signal, market, clocks[signal.source_id], taken, listener)
            decision = validate(draft, known, listener.rules, now=now)
            own.append(Judgement(signal=signal, decision=decision, facts=known, strategy_id=listener.strategy_id))
            if decision.is_taken and draft.action.is_entry:
                taken[signal.symbol, listener.strategy_id] = signal.received_at
        _settle(signal, own, now)
        judgements += own
    note_judgements(signals, judgements, at=now)


def _settle(signal: Signal, judgements: Sequence[Judgement], now: datetime) -> None:
    decisions = [judgement.decision for judgement in judgements]
    best = next((decision for decision in decisions if decision.is_taken), decisions[0])
    signal.state = SignalState.VALID if best.is_taken else _UNTAKEN.get(best.code, SignalState.REJECTED)
    signal.code, signal.sentence, signal.judged_at = best.code, best.sentence, now


def _clocks(signals: Sequence[Signal], drafts: Mapping[UUID, SignalDraft]) -> Iterator[tuple[UUID, ClockReading]]:
    """Let the clock of each source learn from its signals."""
    seen: dict[UUID, list[tuple[ClockStamp, datetime]]] = defaultdict(list)
    for signal in signals:
        stamp = stamp_of(drafts[signal.pk])
        seen[signal.source_id] += [] if stamp is None else [(stamp, signal.received_at)]
    for row in ask(SOURCES, [list(seen)]):
        source = row_of(Source, row)
        yield source.pk, learn_clock(source, seen[source.pk])
