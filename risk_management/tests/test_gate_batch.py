"""A crowd decided at once is decided and written as each account alone, with nothing kept and nothing clever."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mikrobot_platform.benches import gate_facts as bench
from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.decisions import Verdict
from mikrobot_platform.kernel.market import Quantity
from mikrobot_platform.kernel.money import money
from risk_management.compliance.program import Axis
from risk_management.rules import VERSION, Gate, decide, decide_many, gate
from risk_management.rules.facts import AccountFacts, Missing, Shared, Switch
from risk_management.rules.receipt import Clerk, StoredFacts
from risk_management.rules.settings import Limits
from risk_management.sizing import (
    ConfidenceScale,
    FixedMoney,
    FixedQuantity,
    PercentOfBalance,
    PercentOfEquity,
    RangeGate,
)
from risk_management.tests.gate_facts import NOW, account, d, holding, micro, own, shared


def simple(value: Any) -> Any:
    """Make a figure plain, one by one."""
    match value:
        case bool() | int() | None:
            return value
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case tuple():
            return [simple(part) for part in value]
        case _:
            return str(value)


def slowly(of_signal: Shared, facts: AccountFacts) -> str:
    """Decide for one account alone, and write its receipt through json and nothing else."""
    ruled = gate(of_signal, now=NOW).decide_with_care(facts)
    words, firm = ruled.decision().sentence, ruled.numbers.get("firm")
    stored = StoredFacts(plain.text(of_signal), json_of(facts), NOW)
    versions = {
        "gate": VERSION,
        "strategy": f"{known_strategy(of_signal).name}, version {known_strategy(of_signal).version}",
    }
    program = program_of(of_signal, facts)
    return plain.canonical(
        {
            "account": facts.account, "action": str(of_signal.signal.action), "at": NOW.isoformat(),
            "code": str(ruled.code), "evidence": {name: simple(value) for name, value in ruled.figures().items()},
            "facts": stored.sha256(), "not_asked": ruled.not_asked, "organization": facts.organization,
            "rules": [
                [name, said.word, {key: simple(value) for key, value in said.numbers.items()}]
                for name, said in ruled.record
            ],
            "sentence": f"{words} {firm[0]}" if ruled.verdict is Verdict.ADVISED and firm else words,  # type: ignore[index]
            "signal": of_signal.signal.id, "verdict": str(ruled.verdict),
            "versions": versions | ({"program": program} if program else {}),
        }
    )  # fmt: skip


def known_strategy(of_signal: Shared) -> Any:
    return of_signal.strategy


def program_of(of_signal: Shared, facts: AccountFacts) -> str | None:
    if facts.firm is None or isinstance(facts.firm, Missing) or isinstance(of_signal.programs, Missing):
        return None
    program = of_signal.programs.get(str(facts.firm.program))
    return None if program is None else f"{program.title}, version {program.edition.version}"


def json_of(facts: AccountFacts) -> str:
    """Write facts once more from what was read of them, so that nothing that was kept of the first time is used."""
    again = plain.read(AccountFacts, plain.text(facts))
    assert again == facts
    text = plain.text(again)
    assert text == plain.canonical(json.loads(text))
    return text


# As customers write the same figure: what is equal is still written in another way.
ZEROS = ("20", "20.0", "2E+1", "20.00")
MODES = (
    PercentOfBalance(percent=d("0.5")), PercentOfBalance(percent=d("0.50")), PercentOfEquity(percent=d("0.50")),
    FixedMoney(amount=money("250.5", "USD")), FixedMoney(amount=money("250.50", "USD")),
    FixedQuantity(quantity=Quantity(d("0.30"))), FixedQuantity(quantity=Quantity(d("0.3"))),
)  # fmt: skip
SCALES = (None, ConfidenceScale(), ConfidenceScale(steps=((d("0.95"), d(1)),)))
amounts = st.decimals(-2_000, 2_000, places=2).map(lambda value: value.normalize() if value == 0 else value)
maybe = st.none() | st.integers(1, 4)

accounts = st.builds(
    lambda base, changes: base(**changes),
    st.sampled_from([account, own]),
    st.fixed_dictionaries(
        {"account": st.uuids().map(str)},
        optional={
            "snapshot__balance": st.decimals(1_000, 200_000, places=2),
            "snapshot__at": st.integers(0, 130).map(lambda seconds: NOW - timedelta(seconds=seconds)),
            "snapshot__margin_used": st.sampled_from([d(0), d("100.0"), Missing("the account's margin in use")]),
            "positions": st.lists(
                st.builds(holding, symbol=st.sampled_from(["GBPUSD", "EURUSD", "XAUUSD"]), floating=amounts), max_size=3
            ).map(tuple),
            "orders": st.lists(st.builds(holding, floating=st.just(d(0))), max_size=1).map(tuple),
            "limits__max_leverage": st.sampled_from([d(text) for text in ZEROS]),
            "limits__max_risk_percent": st.sampled_from([None, d("0.4"), d("0.40")]),
            "of_strategy": st.integers(0, 4), "follow__max_positions": maybe,
            "follow__range_gate": st.sampled_from([None, RangeGate(), RangeGate(min_pips=d(10))]),
            "limits__max_open": maybe, "limits__max_per_symbol": maybe, "limits__max_trades_per_day": maybe,
            "limits__cooldown_s": st.sampled_from([None, 60, 9_000]), "limits__max_loss_streak": maybe,
            "limits__day_loss": st.sampled_from([None, d("1E+3"), d(500)]),
            "limits__max_spread": st.sampled_from([None, d("0.00002"), d("0.000020"), d("0.00001")]),
            "limits__max_exposure": st.sampled_from([None, d(3), d("3.0")]),
            "limits__max_correlated_risk_percent": st.sampled_from([None, d(2)]),
            "limits__least_equity": st.sampled_from([None, d(90_000)]),
            "follow__mode": st.sampled_from(MODES), "follow__confidence_scale": st.sampled_from(SCALES),
            "terms__leverage": st.sampled_from([d(text) for text in ZEROS]),
            "terms__commission": st.sampled_from([None, money("3.5", "USD"), money("3.50", "USD")]),
            "terms__commission_rate": st.sampled_from([d(0), d("0.00002"), d("0.000020")]),
            "quota_used": st.integers(0, 51), "trades_today": st.integers(0, 5), "loss_streak": st.integers(0, 4),
            "stats": st.sampled_from([None, Missing("how past trades ended")]),
            "realised_day": amounts, "realised_month": amounts | st.just(Missing("the result of this month")),
        },
    ),
)  # fmt: skip


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(accounts, min_size=2, max_size=5))
def test_a_crowd_is_written_as_each_alone(crowd: list[AccountFacts]) -> None:
    of_signal = shared(strategy__max_positions=3)
    for facts, receipt in zip(crowd, Clerk(of_signal, now=NOW).receipts(crowd), strict=True):
        assert receipt.text == slowly(of_signal, facts)
        assert receipt.ruled == decide(of_signal, facts, now=NOW)
        assert not receipt.ruled != gate(of_signal, now=NOW).decide_with_care(facts)  # noqa: SIM202 - of the two it is


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("terms__commission_rate", d("0.00002"), d("0.000020")),
        ("terms__commission", money("3.5", "USD"), money("3.5000000", "USD")),
        ("terms__leverage", d(1), d("1.00")),
        ("limits__max_leverage", d(20), d("20.0")),
        ("limits__max_spread", d("0.00002"), d("0.000020")),
        ("limits__max_slippage", d("0.00002"), d("0.000020")),
        ("limits__max_exposure", d(3), d("3.00")),
        ("follow__mode", PercentOfEquity(percent=d("0.4")), PercentOfEquity(percent=d("0.40"))),
    ],
)
def test_what_is_equal_and_written_in_another_way_stays_so(field: str, one: Any, other: Any) -> None:
    """What is kept for the next account must not bring the zeros of the one before."""
    crowd = [own(), own(**{field: one}), own(**{field: other}), own(**{field: one})]
    texts = [receipt.text for receipt in Clerk(shared(), now=NOW).receipts(crowd)]
    assert texts == [slowly(shared(), facts) for facts in crowd]
    assert texts[1] != texts[2], "facts that are written in another way have another hash"


def test_a_crowd_on_a_future_is_written_as_each_alone() -> None:
    of_signal = micro()
    crowd = [own(snapshot__balance=d(balance), account=f"account-{balance}") for balance in range(5_000, 90_000, 1_700)]
    for facts, receipt in zip(crowd, Clerk(of_signal, now=NOW).receipts(crowd), strict=True):
        assert receipt.text == slowly(of_signal, facts)


def test_the_crowd_of_the_bench_is_decided_as_each_alone() -> None:
    of_signal = bench.shared()
    crowd = bench.accounts(200, of_signal)
    clerk = Clerk(of_signal, now=bench.NOW)
    for facts, receipt in zip(crowd, clerk.receipts(crowd), strict=True):
        assert receipt.text == Clerk(of_signal, now=bench.NOW).receipts([facts])[0].text
        assert receipt.facts.account == json_of(facts)


def test_settings_that_were_recalled_are_written_like_any_others() -> None:
    one, other = plain.text(Limits(max_leverage=d(20))), plain.text(Limits(max_leverage=d("20.0")))
    recalled = plain.recall(Limits, one)
    assert plain.recall(Limits, one) is recalled
    assert plain.recall(Limits, other) is not recalled, "equal, and written in another way"
    assert recalled == plain.read(Limits, one)
    crowd = [own(), replace(own(), limits=recalled), replace(own(), limits=plain.recall(Limits, other))]
    for facts in (*crowd, *crowd):  # the second time from what was kept
        assert plain.text(facts) == json_of(facts)
    assert plain.text(recalled) == one


def test_an_ordinary_account_is_counted_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    of_signal = bench.shared()
    crowd = bench.accounts(40, of_signal)
    expected = [decide(of_signal, facts, now=bench.NOW) for facts in crowd]
    monkeypatch.setattr(Gate, "decide_with_care", lambda _gate, facts: pytest.fail(f"{facts.account} needs no care"))
    assert decide_many(of_signal, crowd, now=bench.NOW) == expected


@pytest.mark.parametrize(
    "changes",
    [
        # More digits than the usual precision holds: it would be rounded somewhere, and is counted with care.
        {"snapshot__balance": d("100000.1234567890123456789012345"), "snapshot__equity": d("99999")},
        {"snapshot__equity": d("99940.50000000000000000000000000000")},
        {"realised_day": d("-1.0000000000000000000000000000000001"), "limits__day_loss": d(500)},
        {"positions": (holding(notional=d("13000.98765432109876543210987654321")),)},
        {"limits__max_exposure": d("3.3333333333333333333333333333")},
        {"terms__leverage": d("33.33333333333333333333333333333")},
    ],
)
def test_a_figure_too_long_is_counted_with_care_and_written_alike(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    careful: list[str] = []
    with_care = Gate.decide_with_care

    def noted(its_gate: Gate, facts: AccountFacts) -> Any:
        careful.append(facts.account)
        return with_care(its_gate, facts)

    expected = slowly(shared(), own(account="long", **changes))
    monkeypatch.setattr(Gate, "decide_with_care", noted)
    receipts = Clerk(shared(), now=NOW).receipts([own(account="short"), own(account="long", **changes)])
    assert receipts[1].text == expected
    assert careful == ["long"]


def test_settings_that_differ_in_anything_are_not_taken_for_each_other() -> None:
    """Each of these is settled once for all accounts that have set the same."""
    changes: list[dict[str, Any]] = [
        {"follow__is_active": False}, {"follow__paused_until": NOW + timedelta(hours=1)},
        {"follow__sides": frozenset()},
        {"follow__symbols": frozenset({"XAUUSD"})}, {"follow__hours": bench.LONDON},
        {"entitlement__opens_trades": False}, {"entitlement__tier": "free"}, {"limits__max_spread": d("0.00001")},
        {"limits__hours": bench.LONDON}, {"terms__commission": money("3.5", "EUR")},
        {"account_stop": Switch(reason="holiday", since=NOW)}, {"organization_stop": Switch(reason="audit", since=NOW)},
        {"firm__uses": frozenset(Axis)}, {"firm__uses": frozenset()}, {"firm__program": None}, {"firm": None},
        {"follow": Missing("how the account follows")}, {"limits": Missing("the limits")}, {"terms": Missing("terms")},
        {"firm": Missing("the firm")}, {"firm__program": Missing("the program")}, {"entitlement": Missing("the plan")},
    ]  # fmt: skip
    crowd = [account(account=f"account-{number}", **change) for number, change in enumerate([{}, *changes])]
    crowd += [own(account=facts.account, follow=facts.follow) for facts in crowd]
    for facts, receipt in zip(crowd, Clerk(shared(), now=NOW).receipts(crowd), strict=True):
        assert receipt.text == slowly(shared(), facts), facts.account
