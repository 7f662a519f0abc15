"""The firm decides whether orders may be sent; nothing that a customer can say changes it."""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mikrobot_platform.kernel.decisions import Code
from risk_management.compliance.library import Choice
from risk_management.compliance.policy import ALWAYS, Mode, Stance, stance
from risk_management.compliance.program import Axis, Permission, Phase, Program
from risk_management.tests.programs import TODAY, library, pick

FTMO = pick("FTMO", "2-Step", "challenge", 100_000)
PROGRAMS = library().programs
SUBSETS = list(chain.from_iterable(combinations(Axis, length) for length in range(len(Axis) + 1)))


@pytest.mark.parametrize(("firm", "mode"), [("FTMO", Mode.FULL), ("Topstep", Mode.ADVICE), ("Apex", Mode.ADVICE)])
def test_every_program_of_a_firm_has_the_stance_of_its_firm(firm: str, mode: Mode) -> None:
    found = {stance(program, today=TODAY).mode for program in PROGRAMS if program.edition.firm == firm}
    assert found == {mode}


@pytest.mark.parametrize("uses", SUBSETS, ids=lambda uses: "+".join(uses) or "nothing")
def test_no_use_of_a_topstep_or_apex_account_sends_orders(uses: tuple[Axis, ...]) -> None:
    for program in PROGRAMS:
        if program.edition.firm != "FTMO":
            assert not stance(program, today=TODAY, uses=uses).sends_orders, program.title


def test_there_is_no_argument_for_a_customers_wish() -> None:
    assert list(inspect.signature(stance).parameters) == ["program", "today", "uses"]


@given(program=st.sampled_from(PROGRAMS), some=st.sets(st.sampled_from(Axis)), more=st.sets(st.sampled_from(Axis)))
def test_more_use_never_allows_more(program: Program, some: set[Axis], more: set[Axis]) -> None:
    if stance(program, today=TODAY, uses=some | more).sends_orders:
        assert stance(program, today=TODAY, uses=some).sends_orders


@pytest.mark.parametrize("axis", [*ALWAYS, Axis.THIRD_PARTY_SIGNALS])
@pytest.mark.parametrize(
    ("permission", "code"),
    [(Permission.FORBIDDEN, Code.PROGRAM_FORBIDS), (Permission.UNKNOWN, Code.PROGRAM_SILENT)],
)
def test_one_axis_that_is_not_allowed_is_enough(axis: Axis, permission: Permission, code: Code) -> None:
    said = replace(FTMO.policy[axis], permission=permission)
    found = stance(replace(FTMO, policy={**FTMO.policy, axis: said}), today=TODAY)
    assert found.mode is Mode.ADVICE
    assert [reason.code for reason in found.reasons] == [code]


def test_the_firms_rule_is_named_with_its_date_and_source() -> None:
    combine = stance(pick("Topstep", "Trading Combine", "challenge", 50_000), today=TODAY)
    remote = next(reason for reason in combine.reasons if reason.evidence["axis"] == "remote execution")
    assert remote.sentence == (
        "Advice only: Topstep Trading Combine, challenge, 50,000 USD forbids remote execution. All trading must "
        "originate from the customer's own device; VPS, VPN and remote servers are prohibited, relaying orders "
        "included. (Verified 2026-10-03, https://help.topstep.com/en/articles/11187768)"
    )
    apex = stance(pick("Apex", "4.0 Evaluation", "challenge", 50_000, "eod_rithmic"), today=TODAY)
    assert apex.reasons[0].sentence.startswith(
        "Advice only: Apex 4.0 Evaluation, challenge, 50,000 USD forbids own automation."
    )
    for reason in (*combine.reasons, *apex.reasons):
        assert {"program", "axis", "rule", "verified", "source", "version"} <= reason.evidence.keys()


def test_an_unknown_program_gives_advice_only() -> None:
    found = stance(None, today=TODAY)
    assert (found.mode, [reason.code for reason in found.reasons]) == (Mode.ADVICE, [Code.PROGRAM_UNKNOWN])
    choice = Choice(firm="Somebody", program="Anything", phase=Phase.FUNDED, size=Decimal(1))
    assert not stance(library().find(choice, on=TODAY).program, today=TODAY).sends_orders


@pytest.mark.parametrize(("age", "is_stale"), [(0, False), (30, False), (31, True), (400, True)])
def test_an_old_record_warns_and_does_not_deny(age: int, is_stale: bool) -> None:
    found = stance(FTMO, today=FTMO.edition.verified + timedelta(days=age))
    assert found.sends_orders
    assert (Code.PROGRAM_STALE in codes(found)) == is_stale


def test_what_is_only_inferred_is_said() -> None:
    found = stance(FTMO, today=date(2026, 10, 5))
    assert [warning.evidence["axis"] for warning in found.warnings] == ["remote execution", "third party signals"]
    assert codes(found) == {Code.PROGRAM_UNSURE}
    own = stance(FTMO, today=date(2026, 10, 5), uses=())
    assert [warning.evidence["axis"] for warning in own.warnings] == ["remote execution"]


def codes(found: Stance) -> set[Code]:
    return {warning.code for warning in found.warnings}
