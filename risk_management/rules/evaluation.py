"""How a list of rules is read for one account, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, DecimalException
from typing import NamedTuple, TypeVar

from mikrobot_platform.kernel.decisions import Code, Decision, Verdict, evidence, said
from mikrobot_platform.kernel.money import LOSSLESS, Currency, Within, minor_unit
from risk_management.rules.case import UPWARDS, ZERO, Case, case_of
from risk_management.rules.desk import Desk, Settings
from risk_management.rules.facts import AccountFacts, Lacking, Shared
from risk_management.rules.plan import Judge, Plan
from risk_management.rules.ruling import Advise, Allow, Deny, Numbers, Reduce, Ruling, skip

T = TypeVar("T")
_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the list: asked for each account, once for all that have set the same, or once for the signal."""

    name: str
    judge: Judge
    judge_settings: Callable[[Settings], Ruling] | None = None
    judge_signal: Callable[[Desk], Ruling] | None = None


def each(judge: Callable[[Case], Ruling]) -> Rule:
    """Make a rule that is asked for each account."""
    return Rule(judge.__name__, judge)


def by_settings(judge: Callable[[Settings], Ruling]) -> Rule:
    """Make a rule that is asked once for all accounts that have set the same, because it looks at nothing else."""
    return Rule(judge.__name__, judge, judge)


def once(judge: Callable[[Desk], Ruling]) -> Rule:
    """Make a rule that is asked once, because no fact of an account is in it."""
    return Rule(judge.__name__, lambda case: _asked_once(judge, case.desk), judge_signal=judge)


class Ruled(NamedTuple):  # noqa: PLW1641 - answers are a list, which has no hash
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
    not_asked: int  # so many rules stand after the one that denied
    plan: Plan
    answers: list[Ruling]  # of the rules that the plan has not settled

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all rules in the list."""
        return self.plan.names

    @property
    def rulings(self) -> list[Ruling]:
        """Return what the rules that were asked said."""
        return self.plan.rulings(self.answers, len(self.names) - self.not_asked)

    @property
    def record(self) -> Iterator[tuple[str, Ruling]]:
        """Give the name of every rule that was asked, and what it said."""
        return zip(self.names, self.rulings, strict=False)  # the rest was not asked

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ruled) and self[:10] == other[:10] and list(self.record) == list(other.record)

    def __ne__(self, other: object) -> bool:
        return not self == other

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
        if self.verdict is not Verdict.ADVISED:
            return words
        firm = self.numbers.get("firm")
        return f"{words} {firm[0]}" if isinstance(firm, tuple) and firm else words


class Gate:
    """A list of rules in front of one signal."""

    def __init__(self, shared: Shared, now: datetime, rules: tuple[Rule, ...]) -> None:
        self.desk = desk = Desk(shared, now)
        self.is_entry = shared.signal.action.is_entry
        self._rules, self._names = rules, tuple(rule.name for rule in rules)
        # What is asked once is asked here; then it costs an account nothing.
        self._of_signal = [
            None if rule.judge_signal is None else _asked_once(rule.judge_signal, desk) for rule in rules
        ]
        steps = [known or rule.judge for rule, known in zip(rules, self._of_signal, strict=True)]
        self._careful = Plan(self._names, steps)
        self._plans: dict[Settings, Plan] = {}

    def decide(self, account: AccountFacts) -> Ruled:
        """Read the list for one account.

        1. A rule whose fact is missing denies, and names the fact.
        2. The first denial ends it.
        3. A reduction stands when it is smaller than what is there; below the smallest order it ends it, as skipped.
        4. Advice goes on to the end of the list, so that size and room can be shown.
        """
        with Within(LOSSLESS):
            return self.decide_in_batch(account)

    def decide_in_batch(self, account: AccountFacts) -> Ruled:
        """Decide for one of many accounts, inside `Within(LOSSLESS)`, which its caller has entered for all of them."""
        try:
            settings = self.desk.settings_of(account)
            case = None if settings is None else case_of(settings, account)
            if case is not None:
                return self._read(self._plans.get(case.settings) or self._plan(case.settings), case)
        except DecimalException:  # a digit would be lost
            pass
        return self.decide_with_care(account)

    def decide_with_care(self, account: AccountFacts) -> Ruled:
        """Decide the slow way, with nothing settled but what the signal settles: the same answer."""
        with Within(self.desk.usual):
            return self._read(self._careful, Case(self.desk, account))

    def _plan(self, settings: Settings) -> Plan:
        with Within(self.desk.usual):
            steps = [
                known or (rule.judge if rule.judge_settings is None else _asked(rule.judge_settings, settings))
                for rule, known in zip(self._rules, self._of_signal, strict=True)
            ]
        plan = self._plans[settings] = Plan(self._names, steps)
        return plan

    def _read(self, plan: Plan, case: Case) -> Ruled:
        answers: list[Ruling] = []
        advice, is_reduced = plan.advice, False
        for judge in plan.judges:
            try:
                ruling = judge(case)
            except Lacking as lack:
                ruling = _fact_missing(lack)
            answers.append(ruling)
            if type(ruling) is Allow:
                continue
            if isinstance(ruling, Reduce):
                if ruling.quantity < self.desk.spec.lot_min:
                    denial = _too_small(ruling, self.desk)
                    return _ended(denial, case, plan, answers, plan.not_asked(len(answers)))
                if not case.quantity or ruling.quantity < case.quantity:
                    case.cut(ruling.quantity, ruling.bound)
                    is_reduced = True
            elif isinstance(ruling, Deny):
                return _ended(ruling, case, plan, answers, plan.not_asked(len(answers)))
            elif isinstance(ruling, Advise):
                advice = ruling
        if plan.ending is not None:
            return _ended(plan.ending, case, plan, answers, plan.not_asked_at_end)
        return self._passed(case, plan, answers, advice, is_reduced=is_reduced)

    def _passed(
        self, case: Case, plan: Plan, answers: list[Ruling], advice: Advise | None, *, is_reduced: bool
    ) -> Ruled:
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
            numbers = {**numbers, "action": self.desk.signal.action}
            return Ruled(verdict, code, numbers, ZERO, ZERO, ZERO, "", "", case.currency, 0, plan, answers)
        equity = case.equity
        percent = case.rounded_up(case.risk * 100, equity, _HUNDREDTH) if equity > 0 else ZERO
        return Ruled(
            verdict, code, numbers, case.quantity, case.risk, percent, case.bound, self.desk.spec.unit, case.currency,
            0, plan, answers,
        )  # fmt: skip


def _ended(denial: Deny, case: Case, plan: Plan, answers: list[Ruling], not_asked: int) -> Ruled:
    return Ruled(
        denial.verdict, denial.code, denial.numbers, ZERO, ZERO, ZERO, "", "", case.currency, not_asked, plan, answers
    )  # fmt: skip


def _asked_once(judge: Callable[[Desk], Ruling], desk: Desk) -> Ruling:
    return desk.once(judge, lambda: _asked(judge, desk))


def _asked(judge: Callable[[T], Ruling], of: T) -> Ruling:
    try:
        return judge(of)
    except Lacking as lack:
        return _fact_missing(lack)


def _fact_missing(lack: Lacking) -> Deny:
    return Deny(Code.GATE_FACT_MISSING, {"fact": lack.missing.fact})


def _too_small(ruling: Reduce, desk: Desk) -> Deny:
    spec = desk.spec
    return skip(
        Code.BELOW_MINIMUM,
        {"bound": ruling.bound, "allowed": ruling.quantity, "unit": spec.unit, "minimum": spec.lot_min},
    )
