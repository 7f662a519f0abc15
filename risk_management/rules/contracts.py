"""How many contracts a program lets an account hold at once, by its tier, micros counted as the firm counts them."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from risk_management.compliance.program import Micros, Program
from risk_management.compliance.room import max_minis
from risk_management.rules.case import Case
from risk_management.rules.facts import Contract, Holding, Lacking, Missing, known
from risk_management.rules.ruling import ALLOWED, Allow, Reduce, Ruling


def contract_tier(case: Case) -> Ruling:
    """Cut the quantity to the contracts that are left of the tier. Both sides count; a broken mini is a whole one."""
    firm, contract, program = case.firm, known(case.desk.shared.contract), case.program
    if firm is None or program is None or contract is None:
        return ALLOWED
    state = known(firm.state)
    limit = max_minis(state, program)
    if limit is None and (program.tiers or program.max_minis is not None):
        raise Lacking(Missing("the contract tier of the account"))
    if limit is None:
        return ALLOWED
    held = _held(case.holdings)
    of_others = sum(_minis(program, other, count) for other, count in held.items() if other != contract)
    per_mini = _per_mini(program.micros, contract)
    room = Decimal((limit - of_others) * per_mini - held[contract])
    numbers = {"limit": limit, "of_others": of_others, "held": held[contract], "per_mini": per_mini, "room": room}
    if case.quantity <= room:
        return Allow(numbers)
    return Reduce(max(room, Decimal(0)), "the firm's contract tier", numbers)


def _held(holdings: tuple[Holding, ...]) -> Counter[Contract]:
    """Count contracts by product. What is no future is not counted: such programs trade nothing else."""
    held: Counter[Contract] = Counter()
    for holding in holdings:
        if holding.contract is not None:
            held[holding.contract] += int(holding.quantity)
    return held


def _minis(program: Program, contract: Contract, count: int) -> int:
    per_mini = _per_mini(program.micros, contract)
    return int(-(-count // per_mini))


def _per_mini(micros: Micros | None, contract: Contract) -> int:
    if not contract.is_micro or micros is None:
        return 1
    return int(micros.exceptions.get(contract.product, micros.per_mini))
