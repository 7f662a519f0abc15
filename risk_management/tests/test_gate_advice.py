"""An account whose firm lets no order be sent never gets one, by any path; an exit is never blocked, by anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from datetime import timedelta
from itertools import product
from types import MappingProxyType
from typing import Any, get_args, get_type_hints

import pytest

from accounts.models import TradingAccount
from mikrobot_platform.kernel.decisions import Code, Decision, Verdict
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import money
from mikrobot_platform.kernel.signals import Action, OrderKind
from risk_management.compliance.parser import STANDARD
from risk_management.compliance.policy import Mode, stance
from risk_management.compliance.program import Axis, Permission, Phase, Program, Stand
from risk_management.kelly import TradeStats
from risk_management.rules import EXIT_RULES, RULES, decide
from risk_management.rules.evaluation import Ruled
from risk_management.rules.facts import AccountFacts, Firm, Missing, Shared, Switch
from risk_management.rules.receipt import Clerk
from risk_management.services import programs
from risk_management.sizing import FixedMoney, FixedQuantity, HalfKelly, MultiplierOfSource, PercentOfEquity
from risk_management.tests.gate_facts import (
    APEX,
    FTMO,
    NOW,
    TOPSTEP,
    account,
    d,
    holding,
    micro,
    program_of,
    shared,
    state_of,
)
from risk_management.tests.gate_market import permissive
from risk_management.tests.programs import library

THIRD_PARTY = frozenset({Axis.THIRD_PARTY_SIGNALS})
FORBIDDEN = [program for program in library().programs if program.edition.firm in ("Topstep", "Apex")]
NEVER = (Verdict.TAKEN, Verdict.REDUCED)


def under(program: Program | None, **changes: Any) -> tuple[dict[str, Any], AccountFacts]:
    """Put an account under a program; return what the signal must know of it as well."""
    if program is None:
        firm = Firm(program=None, state=state_of(program_of(FTMO)), uses=THIRD_PARTY)
        return {}, account(**{"firm": firm} | changes)
    firm = Firm(program="it", state=state_of(program), uses=THIRD_PARTY)
    money_there = {
        "snapshot__balance": program.initial,
        "snapshot__equity": program.initial,
        "snapshot__floating": d(0),
    }
    there = {"firm": firm, "positions": (), "zone": "UTC"} | money_there
    return {"programs": MappingProxyType({"it": program})}, account(**there | changes)


@pytest.mark.parametrize("key", [TOPSTEP, APEX])
def test_size_and_room_are_shown_and_no_order_is_sent(key: str) -> None:
    of_signal, facts = under(program_of(key))
    ruled = decide(micro(**of_signal), facts, now=NOW)
    assert (ruled.verdict, ruled.code, ruled.sends_order) == (Verdict.ADVISED, Code.GATE_ADVICE_ONLY, False)
    assert ruled.quantity > 0
    assert ruled.risk > 0
    assert not ruled.decision().is_taken
    record = dict(ruled.record)
    assert [name for name, _ in ruled.record] == [line.name for line in RULES]
    assert record["firm_floors"].numbers["max_loss_room"] == d(2000)
    said = Clerk(micro(**of_signal), now=NOW).receipts([facts])[0].body()
    assert said["sentence"].startswith("Advice only, no order is sent: ")
    policy = next(rule for rule in said["rules"] if rule[0] == "firm_policy")
    assert policy[1] == "advise"
    for word in ("Verified 2026-10-0", "https://", program_of(key).edition.firm):  # the rule, its date and its source
        assert word in policy[2]["firm"][0]
        assert word in said["sentence"]


@pytest.mark.parametrize("program", FORBIDDEN, ids=lambda program: f"{program.title} {program.variant}")
def test_a_receipt_of_every_program_shows_the_firms_rule(program: Program) -> None:
    of_signal, facts = under(program, positions=())
    said = Clerk(micro(**of_signal), now=NOW).receipts([facts])[0].body()
    rule = next(rule for rule in said["rules"] if rule[0] == "firm_policy")
    stand = next(stand for axis, stand in program.policy.items() if axis in SENDING and not _is_allowed(stand))
    assert rule[1] == "advise"
    told = [text for text in rule[2]["firm"] if stand.sentence in text]
    assert told
    assert f"(Verified {stand.verified}, {stand.source})" in told[0]
    assert program.edition.version in said["versions"]["program"]


SENDING = (Axis.OWN_AUTOMATION, Axis.REMOTE_EXECUTION, Axis.THIRD_PARTY_SIGNALS)


def _is_allowed(stand: Stand) -> bool:
    return stand.permission is Permission.ALLOWED


# What a customer may set, each as if to get an order out all the same
WISHES: tuple[dict[str, Any], ...] = (
    {},
    {"follow__mode": FixedQuantity(quantity=Quantity(d(1)))},
    {"follow__mode": FixedMoney(amount=money("50", "USD")), "limits__max_risk_percent": d(2)},
    {"follow__mode": PercentOfEquity(percent=d(1)), "limits__allows_opposite": True, "limits__keeps_best_day": False,
     "limits__max_leverage": d(1000)},
    {"follow__mode": HalfKelly(), "stats": TradeStats(wins=60, losses=40, won=d(90), lost=d(40))},
    {"follow__mode": MultiplierOfSource(multiplier=d(1))},
    {"entitlement__tier": "enterprise", "entitlement__daily_quota": None},
)  # fmt: skip
# What else there is, by the verdict that it leads to where a firm allows orders
PATHS: Mapping[Verdict, dict[str, Any]] = {
    Verdict.TAKEN: {},
    Verdict.REDUCED: {"limits__max_quantity": Quantity(d(1))},
    Verdict.SKIPPED: {"limits__max_open": 0},
    Verdict.REFUSED: {"snapshot__at": NOW - timedelta(hours=1)},
}
BELOW = {"signal__stop": Price(d(20_010)), "signal__targets": (Price(d(19_970)),)}  # levels of one that sells


NOTHING_MORE, EVERYTHING = frozenset[Axis](), frozenset(Axis)
KINDS = (
    (OrderKind.MARKET, Side.BUY, THIRD_PARTY),
    (OrderKind.LIMIT, Side.SELL, EVERYTHING),
    (OrderKind.STOP, Side.BUY, NOTHING_MORE),
    (OrderKind.STOP_LIMIT, Side.SELL, NOTHING_MORE),
)


def walk(program: Program) -> Iterator[Ruled]:
    """Ask for everything: each action, kind of order, side, wish of the customer, path to a verdict, and use."""
    for path, wish, (kind, side, uses) in product(PATHS.values(), WISHES, KINDS):
        of_signal, facts = under(program, **wish | path, firm__uses=uses)
        levels = {} if side is Side.BUY else BELOW
        for action in Action:
            asked = micro(**of_signal, **levels, signal__action=action, signal__kind=kind, signal__side=side)
            yield decide(asked, facts, now=NOW)


def distinct(programs: list[Program]) -> list[Program]:
    """Keep one program of each firm, name, phase and variant for long walks: sizes differ in amounts alone."""
    found = {(one.edition.firm, one.edition.program, one.phase, one.variant): one for one in programs}
    return list(found.values())


@pytest.mark.parametrize("program", distinct(FORBIDDEN), ids=lambda program: f"{program.title} {program.variant}")
def test_no_path_leads_to_an_order(program: Program) -> None:
    seen = Counter[Verdict]()
    for ruled in walk(program):
        assert ruled.verdict not in NEVER
        assert not ruled.sends_order
        seen[ruled.verdict] += 1
    assert seen.keys() == {Verdict.ADVISED, Verdict.SKIPPED, Verdict.REFUSED}


def test_the_walk_would_find_an_order() -> None:
    """Let the firm allow what it forbids, and the same walk comes to every other verdict."""
    seen = Counter(ruled.verdict for ruled in walk(permissive(program_of(TOPSTEP))))
    assert seen.keys() == set(Verdict) - {Verdict.ADVISED}


@pytest.mark.parametrize("program", FORBIDDEN, ids=lambda program: f"{program.title} {program.variant}")
def test_every_size_is_advice_on_every_day(program: Program) -> None:
    """An edition that has ended, or that nobody has verified for a year, lets no more out."""
    for at in (NOW, NOW + timedelta(days=400)):
        of_signal, facts = under(program, day=at.date(), snapshot__at=at)
        asked = micro(**of_signal, quote__at=at, signal__received_at=at)
        assert not decide(asked, facts, now=at).sends_order
        assert not decide(replace(asked, signal=replace(asked.signal, action=Action.CLOSE)), facts, now=at).sends_order


TYPED = [
    ("Topstep", "Trading Combine"), ("topstep ", "express funded"), ("TOPSTEP", "Live Funded"), ("Topstep X", "Best"),
    ("Apex", "Legacy"), ("apex", "Legacy, trailing"), ("Apex", "4.0 Evaluation"), ("Apex Trader Funding", "anything"),
    ("Apex", "4.0 evaluation EOD Rithmic"), ("Apex", "4.0 Performance Account (intraday)"),
]  # fmt: skip


@pytest.mark.parametrize(("firm", "name"), TYPED)
def test_however_a_customer_writes_it_there_is_no_order(firm: str, name: str) -> None:
    """What is typed either names a program, which is advice, or none that is known, which is advice as well."""
    for phase, size in product(("evaluation", "verification", "funded", ""), (None, 25_000, 50_000, 100_000, 123)):
        row = TradingAccount(kind="prop", firm=firm, program=name, phase=phase, size=None if size is None else d(size))
        found = programs.program_of(row, on=NOW.date())
        of_signal, facts = under(found)
        assert not decide(micro(**of_signal), facts, now=NOW).sends_order, (phase, size)


@pytest.mark.parametrize("program", library().programs, ids=lambda program: f"{program.title} {program.variant}")
def test_every_program_can_be_named_by_a_customer(program: Program) -> None:
    phases = {Phase.CHALLENGE: "evaluation", Phase.VERIFICATION: "verification", Phase.FUNDED: "funded"}
    name = program.edition.program if program.variant == STANDARD else f"{program.edition.program} {program.variant}"
    row = TradingAccount(
        kind="prop", firm=program.edition.firm, program=name, phase=phases[program.phase], size=program.size
    )
    assert programs.program_of(row, on=NOW.date()) == program


def test_an_unknown_program_is_advice() -> None:
    of_signal, facts = under(None)
    ruled = decide(shared(**of_signal), facts, now=NOW)
    assert (ruled.verdict, ruled.sends_order) == (Verdict.ADVISED, False)
    assert "no program" in ruled.sentence()


def test_each_axis_alone_makes_advice() -> None:
    """Take what an order needs away from a program that allows it: own automation, a server, signals of others."""
    allowing = program_of(FTMO)
    assert stance(allowing, today=NOW.date()).mode is Mode.FULL
    for axis in (Axis.OWN_AUTOMATION, Axis.REMOTE_EXECUTION, Axis.THIRD_PARTY_SIGNALS):
        for permission in ("forbidden", "unknown"):
            stand = replace(allowing.policy[axis], permission=type(allowing.policy[axis].permission)(permission))
            program = replace(allowing, policy=MappingProxyType({**allowing.policy, axis: stand}))
            of_signal, facts = under(program)
            assert decide(shared(**of_signal), facts, now=NOW).verdict is Verdict.ADVISED, (axis, permission)


def test_a_denial_stays_one_where_there_is_only_advice() -> None:
    of_signal, facts = under(program_of(TOPSTEP), snapshot__at=NOW - timedelta(hours=1))
    ruled = decide(micro(**of_signal), facts, now=NOW)
    assert (ruled.verdict, ruled.code) == (Verdict.REFUSED, Code.GATE_ACCOUNT_OLD)


@pytest.mark.parametrize("verdict", Verdict)
def test_only_taken_and_reduced_send_orders(verdict: Verdict) -> None:
    """Whatever asks a decision or a ruling whether it goes ahead gets the same answer."""
    ruled = decide(shared(), account(), now=NOW)
    changed: Ruled = ruled._replace(verdict=verdict)
    assert changed.sends_order is (verdict in NEVER)
    assert Decision(verdict=verdict, code=Code.VALID).is_taken is (verdict in NEVER)


# Exits

EXITS = [action for action in Action if not action.is_entry]
OFF = Switch(reason="everything is off", since=NOW, until=None)


def everything_missing(whole: Any) -> Any:
    """Return facts of which nothing is known but the question itself."""
    hints = get_type_hints(type(whole))
    changes = {
        field.name: Missing(field.name.replace("_", " "))
        for field in fields(whole)
        if Missing in get_args(hints[field.name])
    }
    return replace(whole, **changes)


@pytest.mark.parametrize("action", EXITS)
def test_an_exit_passes_whatever_is_missing(action: Action) -> None:
    asked: Shared = everything_missing(shared(signal__action=action))
    asked = replace(asked, signal=everything_missing(asked.signal))
    ruled = decide(asked, everything_missing(account()), now=NOW)
    assert (ruled.verdict, ruled.code, ruled.sends_order) == (Verdict.TAKEN, Code.GATE_EXIT, True)
    assert ruled.decision().sentence == f"Let out: {action} is never blocked."


@pytest.mark.parametrize("action", EXITS)
def test_an_exit_passes_each_single_loss(action: Action) -> None:
    for whole, which in ((shared(signal__action=action), "shared"), (account(), "account")):
        hints = get_type_hints(type(whole))
        for field in fields(whole):
            if Missing in get_args(hints[field.name]):
                lost: Any = replace(whole, **{field.name: Missing("it")})  # type: ignore[arg-type]
                facts = (lost, account()) if which == "shared" else (shared(signal__action=action), lost)
                assert decide(*facts, now=NOW).sends_order, field.name


@pytest.mark.parametrize("action", EXITS)
def test_an_exit_passes_whatever_is_switched_off_used_up_or_broken(action: Action) -> None:
    asked = shared(
        signal__action=action, platform_stop=OFF, strategy_stop=OFF, quote__at=NOW - timedelta(days=1),
        signal__received_at=NOW - timedelta(days=1),
    )  # fmt: skip
    off = account(
        account_stop=OFF, organization_stop=OFF, entitlement__opens_trades=False, quota_used=10**6,
        follow__is_active=False, snapshot__equity=d(1), snapshot__at=NOW - timedelta(days=1), trades_today=10**6,
        requests_today=10**6, loss_streak=99, positions=(holding(stop=None),), limits__max_open=0,
        limits__day_loss=d(1), of_strategy=9, follow__max_positions=1,
    )  # fmt: skip
    ruled = decide(asked, off, now=NOW)
    assert ruled.sends_order
    assert [name for name, _ in ruled.record] == [line.name for line in EXIT_RULES]
    entry = decide(replace(asked, signal=replace(asked.signal, action=Action.OPEN, side=Side.BUY)), off, now=NOW)
    assert not entry.sends_order  # the same facts hold up an entry


@pytest.mark.parametrize("action", EXITS)
def test_an_exit_of_an_advice_account_is_advice_as_well(action: Action) -> None:
    of_signal, facts = under(program_of(TOPSTEP))
    ruled = decide(micro(**of_signal, signal__action=action), facts, now=NOW)
    assert (ruled.verdict, ruled.code, ruled.sends_order) == (Verdict.ADVISED, Code.GATE_EXIT_ADVICE, False)
