"""Who sees and writes what: the platform's sources are everybody's to read and nobody's to write."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connections, transaction
from django.db.utils import DatabaseError

from accounts.admin.base import list_url, record_url
from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import ScopeError, atomic, system_scope, tenant_scope
from accounts.tests.people import Team, make_account, team
from accounts.tests.staff_desk import desk
from mikrobot_platform.db.scope import Scope, enter
from mikrobot_platform.kernel.decisions import Code
from mikrobot_platform.kernel.market import Price
from mikrobot_platform.kernel.signals import SignalDraft
from trading import facts, pipeline
from trading.engine import stored
from trading.engine.management.terms import Terms
from trading.engine.signal_facts import Quote, SignalFacts
from trading.engine.validate import validate
from trading.models import (
    EventKind,
    Follow,
    RawSignal,
    RiskMode,
    Signal,
    SignalEvent,
    SignalState,
    Source,
    Strategy,
)
from trading.pipeline import Delivery
from trading.rehearsal.messages import v8
from trading.sources import plain
from trading.strategies.originals import ORIGINALS
from trading.tests.sources import NOW, events, make_source, push, rest, rows, sent, swept, unreadable_signal
from trading.tests.sources import validate as judge


@pytest.fixture(scope="module", name="cast")
def shared_cast() -> Team:
    return team()


def judged(source: Source, delivery: Delivery, *, seconds: int = 0) -> tuple[SignalState, list[SignalEvent]]:
    now = NOW + timedelta(seconds=seconds)
    outcome = sent(source, delivery, now=now)
    assert outcome.signal_id, outcome
    state = judge(source.organization_id, outcome.signal_id, now=now)
    found = [event for event in events(source) if event.signal_id == outcome.signal_id]
    return state, [event for event in found if event.kind == EventKind.JUDGED]


@contextmanager
def market() -> Iterator[None]:
    """Have what nobody stores yet: a price, a pip, no position."""
    load = facts.signal_facts

    def with_market(*given: Any) -> SignalFacts:
        quote = Quote(bid=Price(Decimal("1.0849")), ask=Price(Decimal("1.0851")), at=NOW)
        return replace(load(*given), is_tradable=True, quote=quote, pip_size=Decimal("0.0001"), position=None)

    with patch("trading.facts.signal_facts", with_market):
        yield


# --- The platform's sources -------------------------------------------------------------------------------------------
def test_everybody_reads_the_platforms_signals_and_not_its_bytes(cast: Team) -> None:
    source = make_source(PLATFORM_ID)
    outcome = sent(source, rest(), now=NOW)
    for house in (cast.house, cast.other):
        with tenant_scope(house.pk), atomic(), connections["default"].cursor() as cursor:
            assert Source.objects.filter(pk=source.pk).exists()
            assert Signal.objects.filter(pk=outcome.signal_id).exists()
            assert SignalEvent.objects.filter(signal_id=outcome.signal_id).exists()
            cursor.execute("select count(*) from trading_rawsignal where source_id = %s", [source.pk])
            assert cursor.fetchone() == (0,)
    with connections["default"].cursor() as cursor:  # no scope at all
        cursor.execute("select count(*) from trading_source")
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("table", ["trading_source", "trading_strategy"])
@pytest.mark.parametrize("verb", ["update {} set name = 'x'", "delete from {}"])
def test_no_tenant_changes_what_is_the_platforms(cast: Team, table: str, verb: str) -> None:
    make_source(PLATFORM_ID)
    for scope in (
        Scope(organization_id=cast.house.pk),
        Scope(organization_id=cast.house.pk, alias="engine"),
        Scope(organization_id=PLATFORM_ID),  # a pretender
        Scope(organization_id=PLATFORM_ID, alias="engine"),
        Scope(system="signals.platform"),  # the web's role may claim it and gains nothing
    ):
        with enter(scope), transaction.atomic(using=scope.alias), connections[scope.alias].cursor() as cursor:
            cursor.execute(f"{verb.format(table)} where organization_id = %s", [PLATFORM_ID])
            assert cursor.rowcount == 0


@pytest.mark.parametrize("organization", ["house", "platform"])
def test_no_tenant_makes_a_source_of_the_platform(cast: Team, organization: str) -> None:
    source = Source(organization_id=PLATFORM_ID, name=uuid4().hex, kind="rest")
    with pytest.raises(ScopeError), tenant_scope(cast.house.pk), atomic():
        source.save()
    claimed = cast.house.pk if organization == "house" else PLATFORM_ID
    with pytest.raises(DatabaseError, match="row-level security"), tenant_scope(claimed), atomic():
        Source.objects.bulk_create([source])


def test_a_private_source_is_its_organizations_alone(cast: Team) -> None:
    source = make_source(cast.house.pk)
    outcome = sent(source, rest(), now=NOW)
    judge(cast.house.pk, outcome.signal_id or uuid4())
    for model, lookup in (
        (Source, {"pk": source.pk}),
        (RawSignal, {"source_id": source.pk}),
        (Signal, {"source_id": source.pk}),
        (SignalEvent, {"signal_id": outcome.signal_id}),
    ):
        with tenant_scope(cast.house.pk), atomic():
            assert model.objects.filter(**lookup).exists()
        with tenant_scope(cast.other.pk), atomic():
            assert not model.objects.filter(**lookup).exists()
        with system_scope("signals.platform"):
            assert not model.objects.filter(**lookup).exists()


def test_a_stranger_moves_nothing_in_somebody_elses_ledger(cast: Team) -> None:
    source = make_source(cast.house.pk)
    outcome = sent(source, rest(), now=NOW)
    assert outcome.signal_id
    with pytest.raises(RawSignal.DoesNotExist):
        pipeline.understand(cast.other.pk, outcome.raw_id, now=NOW)
    pipeline.validate(cast.other.pk, [outcome.signal_id], now=NOW)
    assert rows(source)[1][0].state == SignalState.WAITING


# --- Strategies and follows -------------------------------------------------------------------------------------------
def test_the_three_originals_stand_in_the_database(cast: Team) -> None:
    with tenant_scope(cast.other.pk), atomic():
        rows = {row.code: row for row in Strategy.objects.filter(organization_id=PLATFORM_ID)}
        for original in ORIGINALS:
            row = rows[original.code]
            assert (row.version, row.name, row.is_beta, tuple(row.tiers)) == (
                original.version, original.name, original.is_beta, original.tiers
            )  # fmt: skip
            assert row.read_parameters() == original.parameters
            written = json.loads(json.dumps(plain(original.parameters)))
            assert written.pop("management") == json.loads(json.dumps(plain(Terms()))), "the doctrine, and not stored"
            assert row.parameters == written
            assert original.parameters.rules.version == f"{original.code}/{original.version}"


def platform_strategy(cast: Team) -> UUID:
    with tenant_scope(cast.house.pk), atomic():
        found: UUID = Strategy.objects.get(organization_id=PLATFORM_ID, code="submarine_gold").pk
    return found


def test_an_account_follows_the_platforms_strategies_and_its_own_only(cast: Team) -> None:
    account = make_account(cast.as_alice, f"Follows {uuid4().hex[:6]}")
    with tenant_scope(cast.other.pk), atomic():
        theirs = Strategy.objects.create(code="own", version=uuid4().hex[:8], name="Own", parameters={})
    strategy_id = platform_strategy(cast)

    def follow(**fields: Any) -> Follow:
        with tenant_scope(cast.house.pk), atomic():
            row: Follow = Follow.objects.create(account=account, **fields)
        return row

    assert follow(strategy_id=strategy_id).risk_mode == RiskMode.STRATEGY
    for wrong in (
        {"strategy_id": strategy_id},  # twice
        {"strategy_id": theirs.pk},
        {"strategy_id": theirs.pk, "strategy_organization_id": cast.house.pk},
        {"strategy_id": theirs.pk, "strategy_organization_id": cast.other.pk},
        {"strategy_id": strategy_id, "risk_mode": RiskMode.PERCENT},
        {"strategy_id": strategy_id, "risk_mode": RiskMode.PERCENT, "risk_value": Decimal(0)},
    ):
        with pytest.raises(IntegrityError):
            follow(**wrong)


# --- Judgements -------------------------------------------------------------------------------------------------------
def test_an_entry_that_lacks_facts_is_refused_and_an_exit_passes(cast: Team) -> None:
    source = make_source(cast.house.pk)
    state, [event] = judged(source, rest())
    assert (state, event.code, event.strategy_id) == (SignalState.REJECTED, Code.FACT_MISSING, None)
    state, [event] = judged(source, rest(action="close"))
    assert (state, event.code, event.verdict) == (SignalState.VALID, Code.VALID, "taken")


def test_each_strategy_that_listens_judges_by_its_own_rules(cast: Team) -> None:
    source = make_source(cast.house.pk, "ea_file", clock_zone="UTC")
    state, found = judged(source, Delivery(body=v8().encode("utf-16-le")))
    assert state is SignalState.REJECTED
    with tenant_scope(cast.house.pk), atomic():
        names = {row.pk: row.code for row in Strategy.objects.all()}
    codes = {names[event.strategy_id]: event.code for event in found if event.strategy_id}
    assert codes == {
        "m5_bos_m1_retest": Code.FACT_MISSING,
        "submarine_gold": Code.FACT_MISSING,
        "ferrari_scalping": Code.SYMBOL_NOT_TRADABLE,
    }
    assert {event.evidence["rules"] for event in found} == {original.parameters.rules.version for original in ORIGINALS}


def test_the_stored_facts_give_the_same_decision_and_the_next_signal_waits(cast: Team) -> None:
    source = make_source(cast.house.pk)
    with market():
        decisions = [judged(source, rest(id=str(number)), seconds=number) for number in (0, 1)]
        decisions.append(judged(source, rest(symbol="EURGBP", id="other", price="1.085")))
        decisions.append(judged(source, rest(symbol="USDCHF", id="close", action="close")))
        decisions.append(judged(source, rest(symbol="USDCHF", id="open")))
    assert [event.code for _, [event] in decisions] == [Code.VALID, Code.COOLDOWN, Code.VALID, Code.VALID, Code.VALID]
    for _, [event] in decisions:
        with tenant_scope(cast.house.pk), atomic():
            draft = stored.read(SignalDraft, Signal.objects.get(pk=event.signal_id).draft)
        again = validate(draft, stored.read(SignalFacts, event.facts), facts.NOBODY.rules, now=event.at)
        assert (again.code, again.sentence) == (event.code, event.sentence)
        assert json.loads(json.dumps(dict(again.evidence))) == event.evidence


def test_signals_that_came_together_are_judged_as_one_after_the_other(cast: Team) -> None:
    source = make_source(cast.house.pk)
    came = [rest(symbol=symbol, id=f"{number}-{symbol}") for symbol in ("AUDNZD", "NZDCAD") for number in range(3)]
    for second, delivery in enumerate(came):
        sent(source, delivery, now=NOW + timedelta(seconds=second))
    with market():
        swept(source, NOW + timedelta(seconds=2))
        later = sent(source, rest(symbol="AUDNZD", id="later"), now=NOW + timedelta(seconds=9))
        swept(source, NOW + timedelta(seconds=10))
    codes = [Code.VALID, Code.COOLDOWN, Code.COOLDOWN]
    signals = sorted(rows(source)[1], key=lambda signal: signal.received_at)
    assert [signal.code for signal in signals] == [*codes, *codes, Code.COOLDOWN]
    assert signals[-1].pk == later.signal_id
    told = [event for event in events(source) if event.kind == EventKind.JUDGED]
    assert sorted((event.signal_id, event.code) for event in told) == sorted((row.pk, row.code) for row in signals)


def asked(cast: Team, came: Sequence[tuple[Source, Delivery]]) -> int:
    """Judge what came together, and count the statements."""
    statements = 0
    found = [sent(source, delivery, now=NOW).signal_id for source, delivery in came]

    def counted(execute: Any, *given: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(*given)

    with connections["engine"].execute_wrapper(counted):
        pipeline.validate(cast.house.pk, [signal_id for signal_id in found if signal_id], now=NOW)
    for source, _ in came:
        assert {signal.state for signal in rows(source)[1]} == {SignalState.REJECTED}
    return statements


def test_however_many_are_judged_together_the_database_is_asked_as_often(cast: Team) -> None:
    def pushed(count: int) -> list[tuple[Source, Delivery]]:
        source = make_source(cast.house.pk, "ea_push")
        return [(source, push(source, number + 1)) for number in range(count)]

    def named(*symbols: str) -> list[tuple[Source, Delivery]]:
        source = make_source(cast.house.pk)
        return [(source, rest(symbol=symbol, id=uuid4().hex)) for symbol in symbols]

    asked(cast, pushed(1))  # strategies are read once in a process
    assert asked(cast, pushed(1)) == asked(cast, pushed(25))
    assert asked(cast, named("EURUSD")) == asked(cast, named("EURUSD", "GBPUSD", "AUDUSD", "NZDUSD", "USDCAD"))


def test_sources_and_not_names_are_what_the_database_is_asked_more_for(cast: Team) -> None:
    def came(count: int, *names: str) -> list[tuple[Source, Delivery]]:
        senders = [make_source(cast.house.pk) for _ in range(count)]
        return [(source, rest(id=uuid4().hex, strategy=name)) for source in senders for name in names]

    one = asked(cast, came(1, "one"))
    each_source = asked(cast, came(2, "one")) - one
    assert 0 < each_source <= 2
    assert asked(cast, came(5, "one")) == one + 4 * each_source
    assert asked(cast, came(1, "one", "two", "three")) == one


def test_one_that_cannot_be_judged_does_not_hold_up_those_beside_it(cast: Team) -> None:
    source = make_source(cast.house.pk)
    sent(source, rest(id="one"), now=NOW)
    bad = unreadable_signal(source)
    sent(source, rest(id="two"), now=NOW)
    swept(source, NOW)
    states = {signal.pk: signal.state for signal in rows(source)[1]}
    assert states.pop(bad.pk) == SignalState.QUARANTINED
    assert set(states.values()) == {SignalState.REJECTED}


# --- The list ---------------------------------------------------------------------------------------------------------
def test_the_command_lists_states_and_reasons(cast: Team) -> None:
    source = make_source(cast.house.pk)
    judged(source, rest(id="one"))
    sent(source, rest(id="one"), now=NOW)
    sent(source, Delivery(body=b"{"), now=NOW)
    out = StringIO()
    call_command("signals", "--json", f"--source={source.pk}", stdout=out)
    listed = json.loads(out.getvalue())["messages"]
    assert [(row["state"], row["code"]) for row in listed] == [
        ("refused", "input.unfinished"), ("duplicate", "input.duplicate"), ("read", ""),
    ]  # fmt: skip
    signal = listed[-1]["signal"]
    assert (signal["state"], signal["code"], signal["symbol"]) == ("rejected", "signal.fact_missing", "EURUSD")
    out = StringIO()
    call_command("signals", f"--source={source.pk}", "--limit=2", stdout=out)
    text = out.getvalue()
    assert "The message ends before it is complete." in text
    assert "duplicate" in text
    assert "2 messages" in text
    out = StringIO()
    call_command("signals", f"--raw={listed[-1]['id']}", stdout=out)
    assert [line.split()[2] for line in out.getvalue().splitlines() if line.startswith("2")] == [
        "received", "parsed", "judged", "duplicate",
    ]  # fmt: skip


# --- Staff ------------------------------------------------------------------------------------------------------------
def test_staff_trace_a_signal_from_its_bytes_to_its_last_event(cast: Team) -> None:
    source = make_source(cast.house.pk, "ea_file", clock_zone="UTC")
    body = v8().encode("utf-16-le")
    judged(source, Delivery(body=body, headers={"User-Agent": "<script>"}))
    again = sent(source, Delivery(body=body), now=NOW)
    client = desk()
    for raw in rows(source)[0]:
        page = html.unescape(client.get(record_url(raw)).content.decode())
        for word in (
            source.name,
            hashlib.sha256(body).hexdigest(),
            "MIKROBOT_FASTVERSION_COMPLIANT_v8",
            "Submarine Gold Standard 3.0.0",
            "signal.fact_missing",
            "Came again",
            "171.13900",
        ):
            assert word in page, word
        assert "<script>" not in client.get(record_url(raw)).content.decode()
    listed = client.get(list_url(RawSignal, state="duplicate")).content.decode()
    assert str(again.raw_id) in listed
    repeated = rows(source)[0][1]
    assert client.post(record_url(repeated), {"state": "read"}).status_code in {200, 405}
    assert [raw.state for raw in rows(source)[0]] == ["read", "duplicate"]


def test_staff_see_no_password_of_a_customers_alert(cast: Team) -> None:
    source = make_source(cast.house.pk, "tradingview")
    for body in (b"60123456789,buy,EURUSD,passphrase=hunter2x7", b'{"symbol":"EURUSD","S\\u0065cret":"hunter2x7"}'):
        sent(source, Delivery(body=body), now=NOW)
    for raw in rows(source)[0]:
        page = desk().get(record_url(raw)).content.decode()
        assert "EURUSD" in page
        assert "hunter" not in page
        assert "60123456789" not in page


def test_staff_see_the_platforms_messages_too() -> None:
    source = make_source(PLATFORM_ID)
    outcome = sent(source, rest(), now=NOW)
    [raw], _ = rows(source)
    page = desk().get(record_url(raw))
    assert (page.status_code, raw.pk) == (200, outcome.raw_id)
    assert "the platform" in page.content.decode()
