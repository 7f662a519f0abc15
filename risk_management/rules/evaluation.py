"""How a list of rules is read for one account, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mikrobot_platform.kernel.decisions import Code, Decision, Verdict, evidence, said
from mikrobot_platform.kernel.money import Currency, minor_unit
from risk_management.rules.case import UPWARDS, ZERO, Case, Desk
from risk_management.rules.facts import AccountFacts, Lacking, Shared
from risk_management.rules.ruling import Advise, Allow, Deny, Numbers, Reduce, Ruling, skip

_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the list: asked for each account, or once for the signal."""

    name: str
    judge: Callable[[Case], Ruling]
    judge_signal: Callable[[Desk], Ruling] | None = None


def each(judge: Callable[[Case], Ruling]) -> Rule:
    """Make a rule that is asked for each account."""
    return Rule(judge.__name__, judge)


def once(judge: Callable[[Desk], Ruling]) -> Rule:
    """Make a rule that is asked once, because no fact of an account is in it."""
    return Rule(judge.__name__, lambda case: _asked_once(judge, case.desk), judge)


@dataclass(frozen=True, slots=True)
class Ruled:
    """What was decided for one account, and what every rule that was asked said."""

    verdict: Verdict
    code: Code
    numbers: Numbers  # of the rule that decided
    quantity: Decimal  # taken, or as it is advised; 0 when nothing is
    risk: Decimal  # at the stop, costs included, in account money; never less than it is
    percent: Decimal  # of the equity, rounded up
    bound: str
    unit: str
    currency: Currency
    names: tuple[str, ...]  # of all rules in the list
    rulings: list[Ruling]  # of those that were asked
    not_asked: int  # so many rules stand after the one that denied

    @property
    def record(self) -> Iterator[tuple[str, Ruling]]:
        """Give the name of every rule that was asked, and what it said."""
        return zip(self.names, self.rulings, strict=False)  # the rest was not asked

    @property
    def sends_order(self) -> bool:
        """Tell whether an order may be made of this: taken or reduced, and nothing else, ever."""
        return self.verdict is Verdict.TAKEN or self.verdict is Verdict.REDUCED

    def figures(self) -> Mapping[str, object]:
        """Return the numbers behind the sentence, amounts rounded up to the coin."""
        if self.verdict is Verdict.REFUSED or self.verdict is Verdict.SKIPPED:
            return self.numbers
        risk = UPWARDS.quantize(self.risk, minor_unit(self.currency))
        return {
            **self.numbers, "quantity": self.quantity, "unit": self.unit, "risk": risk, "currency": self.currency,
            "percent": self.percent, "bound": self.bound,
        }  # fmt: skip

    def decision(self) -> Decision:
        """Say it in words."""
        return Decision(verdict=self.verdict, code=self.code, evidence=evidence(**self.figures()))

    def sentence(self) -> str:
        """Say it to a person; what the firm says of advice follows in the firm's own words."""
        return self.sentence_with(self.figures())

    def sentence_with(self, figures: Mapping[str, object]) -> str:
        """Say it with figures that were already put together."""
        words = said(self.code, figures)
        firm = self.numbers.get("firm")
        return f"{words} {firm[0]}" if self.verdict is Verdict.ADVISED and isinstance(firm, tuple) and firm else words


class Gate:
    """A list of rules in front of one signal."""

    def __init__(self, shared: Shared, now: datetime, rules: tuple[Rule, ...]) -> None:
        self.desk = desk = Desk(shared, now)
        self.is_entry = shared.signal.action.is_entry
        # What is asked once is asked here; then it costs an account nothing.
        self._names = tuple(rule.name for rule in rules)
        self._steps = [
            (rule.judge, None if rule.judge_signal is None else _asked_once(rule.judge_signal, desk)) for rule in rules
        ]

    def decide(self, account: AccountFacts) -> Ruled:
        """Read the list for one account.

        1. A rule whose fact is missing denies, and names the fact.
        2. The first denial ends it.
        3. A reduction stands when it is smaller than what is there; below the smallest order it ends it, as skipped.
        4. Advice goes on to the end of the list, so that size and room can be shown.
        """
        case = Case(self.desk, account)
        rulings: list[Ruling] = []
        advice: Advise | None = None
        is_reduced = False
        for judge, known_already in self._steps:
            try:
                ruling = known_already or judge(case)
            except Lacking as lack:
                ruling = _fact_missing(lack)
            rulings.append(ruling)
            if type(ruling) is Allow:
                continue
            if isinstance(ruling, Reduce):
                if ruling.quantity < self.desk.spec.lot_min:
                    return self._ended(_too_small(ruling, self.desk), case, rulings)
                if not case.quantity or ruling.quantity < case.quantity:
                    case.cut(ruling.quantity, ruling.bound)
                    is_reduced = True
            elif isinstance(ruling, Deny):
                return self._ended(ruling, case, rulings)
            elif isinstance(ruling, Advise):
                advice = ruling
        return self._passed(case, rulings, advice, is_reduced=is_reduced)

    def _passed(self, case: Case, rulings: list[Ruling], advice: Advise | None, *, is_reduced: bool) -> Ruled:
        numbers: Numbers = {}
        if advice is not None:
            verdict, code, numbers = Verdict.ADVISED, advice.code, advice.numbers
        elif not self.is_entry:
            verdict, code = Verdict.TAKEN, Code.GATE_EXIT
        else:
            verdict, code = (
                (Verdict.REDUCED, Code.GATE_REDUCED) if is_reduced else (Verdict.TAKEN, Code.GATE_TAKEN)
            )  # fmt: skip
        if not self.is_entry:
            return Ruled(
                verdict, code, {**numbers, "action": self.desk.signal.action}, ZERO, ZERO, ZERO, "", "",
                case.account.currency, self._names, rulings, 0,
            )  # fmt: skip
        equity = case.equity
        percent = UPWARDS.quantize(UPWARDS.divide(case.risk * 100, equity), _HUNDREDTH) if equity > 0 else ZERO
        return Ruled(
            verdict, code, numbers, case.quantity, case.risk, percent, case.bound, self.desk.spec.unit,
            case.account.currency, self._names, rulings, 0,
        )  # fmt: skip

    def _ended(self, denial: Deny, case: Case, rulings: list[Ruling]) -> Ruled:
        return Ruled(
            denial.verdict, denial.code, denial.numbers, ZERO, ZERO, ZERO, "", "", case.account.currency,
            self._names, rulings, len(self._names) - len(rulings),
        )  # fmt: skip


def _asked_once(judge: Callable[[Desk], Ruling], desk: Desk) -> Ruling:
    def asked() -> Ruling:
        try:
            return judge(desk)
        except Lacking as lack:
            return _fact_missing(lack)

    return desk.once(judge, asked)


def _fact_missing(lack: Lacking) -> Deny:
    return Deny(Code.GATE_FACT_MISSING, {"fact": lack.missing.fact})


def _too_small(ruling: Reduce, desk: Desk) -> Deny:
    spec = desk.spec
    return skip(
        Code.BELOW_MINIMUM,
        {"bound": ruling.bound, "allowed": ruling.quantity, "unit": spec.unit, "minimum": spec.lot_min},
    )
