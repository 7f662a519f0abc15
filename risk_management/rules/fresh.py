"""Whether signal, account, quote and rate are recent enough to stake money on."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from mikrobot_platform.kernel.decisions import Code, Refusal
from mikrobot_platform.kernel.money import Currency
from mikrobot_platform.kernel.rates import Conversion, conversion
from risk_management.rules.case import Case
from risk_management.rules.desk import Desk, Settings
from risk_management.rules.facts import known
from risk_management.rules.ruling import Allow, Deny, Ruling


def signal_fresh(desk: Desk) -> Ruling:
    """Hold a signal to its age: time has passed since it was judged."""
    age_s, limit = desk.age_s(known(desk.signal.received_at)), desk.strategy.max_signal_age_s
    return _unless_older(age_s, limit, Code.GATE_SIGNAL_OLD)


def quote_fresh(desk: Desk) -> Ruling:
    """Hold the quote to its age, and to a bid that is not above its ask."""
    quote = desk.quote
    if not 0 < quote.bid <= quote.ask:
        return Deny(Code.QUOTE_BROKEN, {"bid": quote.bid, "ask": quote.ask})
    return _unless_older(desk.age_s(quote.at), desk.strategy.max_quote_age_s, Code.GATE_QUOTE_OLD)


def account_fresh(case: Case) -> Ruling:
    """Hold the account's figures to their age."""
    at, limit = known(case.snapshot.at), case.desk.strategy.max_account_age_s
    return case.desk.once((account_fresh, at), lambda: _unless_older(case.desk.age_s(at), limit, Code.GATE_ACCOUNT_OLD))


def rate_fresh(case: Settings) -> Ruling:
    """Hold the rate from the instrument's currency to the account's, and from the commission's, to their age."""
    terms = case.terms
    commission = None if terms.commission is None else terms.commission.currency
    key = (rate_fresh, case.currency, commission)
    return case.desk.once(key, lambda: _rates(case.desk, case.currency, commission))


def _rates(desk: Desk, target: Currency, commission: Currency | None) -> Ruling:
    found = _rate(desk, desk.spec.quote, target)
    if isinstance(found, Refusal):
        return Deny(found.code, found.evidence)
    charged = found if commission is None else _rate(desk, commission, target)
    if isinstance(charged, Refusal):
        return Deny(charged.code, charged.evidence)
    return Allow({"path": found.path, "quoted_at": found.quoted_at})


def _rate(desk: Desk, source: Currency, target: Currency) -> Conversion | Refusal:
    max_age = timedelta(seconds=desk.strategy.max_rate_age_s)
    return conversion(source, target, known(desk.shared.rates), now=desk.now, max_age=max_age)


def _unless_older(age_s: Decimal, limit: int, code: Code) -> Ruling:
    numbers = {"age_s": age_s, "max_age_s": limit}
    return Deny(code, numbers) if age_s > limit else Allow(numbers)
