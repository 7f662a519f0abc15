"""From the text of a program file to programs: every field known, every value checked, whatever is wrong named.

A file states rules on several levels, and the inner level replaces the outer one, field by field: the file itself, a
phase, a size of that phase, a variant of that phase, a size of that variant. Each combination becomes one `Program`.

An amount is money, or a part of the size ("5 %"); a lock is so much above the initial balance, or "target". Limits,
their amounts and the target must be stated on some level: null says that there is none, or that it is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import pairwise

from mikrobot_platform.kernel import market
from mikrobot_platform.kernel.decisions import Code, Refusal, Unreadable, unreadable
from mikrobot_platform.kernel.reading import Fields
from mikrobot_platform.kernel.strict_json import Json, read_object
from risk_management.compliance import fields as f
from risk_management.compliance.clock import FlatBy
from risk_management.compliance.program import (
    AfterPayout,
    Axis,
    Budget,
    Confidence,
    Consistency,
    DailyLoss,
    Edition,
    MaxLoss,
    Measure,
    Micros,
    NewsWindow,
    PayoutPath,
    Permission,
    Phase,
    Program,
    Rest,
    Severity,
    ShareOf,
    Stand,
    Tier,
    Touch,
    Trail,
)

FORMAT = 1
STANDARD = "standard"  # what a phase without variants is called
EDITION = (
    "firm", "program", "version", "valid_from", "valid_until", "opened_from", "opened_before", "verified", "source",
    "note",
)  # fmt: skip
RULES = (
    "confidence", "currency", "initial", "day", "close", "target", "max_loss", "max_loss_amount", "daily_loss",
    "daily_loss_amount", "max_minis", "tiers", "micros", "consistency", "payouts", "min_trading_days",
    "time_limit_days", "activate_within_days", "inactivity_days", "mae_pct", "leverage_fx", "flat_by", "rest", "news",
    "budget", "policy",
)  # fmt: skip
LONGEST_NOTE = 1_000


class ProgramRefused(ValueError):
    """Raised when a file is no program; it says which field is wrong and what it should be."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.sentence)
        self.reason = reason


def parse(text: str) -> tuple[Program, ...]:
    """Read every program of a file, or raise ProgramRefused."""
    try:
        return tuple(_programs(read_object(text)))
    except Unreadable as wrong:
        raise ProgramRefused(wrong.reason) from None


def _programs(file: dict[str, Json]) -> Iterator[Program]:
    top = Fields(file)
    top.only("format", *EDITION, *RULES, "phases")
    top.whole("format", low=FORMAT, high=FORMAT)
    edition = _edition(top)
    common = _rules(file, "", "format", *EDITION, "phases")
    phases = _object(file.get("phases"), "phases")
    if not phases:
        raise unreadable(Code.FIELD_MISSING, field="phases")
    for name, value in phases.items():
        path = f"phases.{name}"
        if name not in list(Phase):
            raise unreadable(Code.FIELD_UNKNOWN, field=path)
        phase = _object(value, path)
        rules = _rules(phase, path, "sizes", "variants")
        sizes = _levels(phase, "sizes", path)
        for variant, inside in (_levels(phase, "variants", path) or {STANDARD: {}}).items():
            own = _rules(inside, f"{path}.variants.{variant}", "sizes")
            own_sizes = _levels(inside, "sizes", f"{path}.variants.{variant}")
            for size in own_sizes or sizes:
                narrow, narrowest = sizes.get(size, {}), own_sizes.get(size, {})
                merged = {
                    **common, **rules, **_rules(narrow, f"{path}.sizes.{size}"), **own,
                    **_rules(narrowest, f"{path}.variants.{variant}.sizes.{size}"),
                }  # fmt: skip
                where = Fields(merged, path=f"{path}.{variant}.{size}")
                yield _program(where, edition, Phase(name), _size(size, path), variant)


def _object(value: Json, path: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise unreadable(Code.FIELD_TYPE, field=path, expected="an object")
    return value


def _levels(outer: Mapping[str, Json], name: str, path: str) -> dict[str, dict[str, Json]]:
    inner = _object(outer.get(name, {}), f"{path}.{name}")
    return {key: _object(value, f"{path}.{name}.{key}") for key, value in inner.items()}


def _rules(level: Mapping[str, Json], path: str, *besides: str) -> dict[str, Json]:
    """Take the rules of one level; a field that is neither a rule nor one of those besides is refused by name."""
    Fields(level, path=path).only(*RULES, *besides)
    return {name: value for name, value in level.items() if name in RULES}


def _size(text: str, path: str) -> Decimal:
    try:
        return market.price(text)
    except market.NumberRefused as refused:
        raise unreadable(Code.NOT_A_NUMBER, field=f"{path}.sizes.{text}", problem=refused.problem) from None


def _edition(top: Fields) -> Edition:
    found = Edition(
        firm=top.text("firm"),
        program=top.text("program"),
        version=top.text("version"),
        valid_from=f.day(top, "valid_from"),
        valid_until=f.known(top, "valid_until", f.day),
        opened_from=f.maybe(top, "opened_from", f.day),
        opened_before=f.maybe(top, "opened_before", f.day),
        verified=f.day(top, "verified"),
        source=top.text("source"),
        note=top.optional_text("note", limit=LONGEST_NOTE),
    )
    _in_order(top, "valid_until", found.valid_from, found.valid_until)
    _in_order(top, "opened_before", found.opened_from, found.opened_before)
    return found


def _in_order(top: Fields, name: str, first: date | None, last: date | None) -> None:
    if first is not None and last is not None and last < first:
        raise f.unlike(top, name, f"not before {first}", last.isoformat())


def _program(rules: Fields, edition: Edition, phase: Phase, size: Decimal, variant: str) -> Program:
    initial = rules.number("initial") if rules.has("initial") else size
    target = f.known(rules, "target", f.amount(size))
    day = f.clock(rules, "day")
    daily, is_optional = _daily_loss(rules, size)
    tiers = tuple(_tiers(rules))
    return Program(
        edition=edition,
        phase=phase,
        size=size,
        variant=variant,
        confidence=f.word(rules, "confidence", Confidence),
        currency=rules.text("currency", limit=3),
        initial=initial,
        day=day,
        close=f.maybe(rules, "close", f.clock) or day,
        target=target,
        max_loss=_max_loss(rules, size, initial, target),
        daily_loss=None if is_optional else daily,
        optional_daily_loss=daily if is_optional else None,
        max_minis=f.maybe(rules, "max_minis", f.count()),
        tiers=tiers,
        micros=_micros(rules),
        consistency=_consistency(rules),
        payouts=tuple(_payout(path) for path in rules.each("payouts")),
        min_trading_days=f.maybe(rules, "min_trading_days", f.count(low=0)) or 0,
        time_limit_days=f.maybe(rules, "time_limit_days", f.count()),
        activate_within_days=f.maybe(rules, "activate_within_days", f.count()),
        inactivity_days=f.maybe(rules, "inactivity_days", f.count()),
        mae_pct=f.maybe(rules, "mae_pct", f.share),
        leverage_fx=f.maybe(rules, "leverage_fx", f.count()),
        flat_by=_flat_by(rules),
        rest=_rest(rules),
        news=tuple(_news(window) for window in rules.each("news")),
        budget=_budget(rules),
        policy=_policy(rules),
    )


def _daily_loss(rules: Fields, size: Decimal) -> tuple[DailyLoss | None, bool]:
    """Read the daily loss, and whether it is one that the customer switches on at the firm."""
    inner = f.known(rules, "daily_loss", Fields.within)
    if inner is None:
        return None, False
    inner.only("measure", "touch", "severity", "is_optional")
    found = DailyLoss(
        amount=f.known(rules, "daily_loss_amount", f.amount(size)),
        measure=f.word(inner, "measure", Measure),
        touch=f.word(inner, "touch", Touch),
        severity=f.word(inner, "severity", Severity),
    )
    return found, inner.flag("is_optional") if inner.has("is_optional") else False


def _max_loss(rules: Fields, size: Decimal, initial: Decimal, target: Decimal | None) -> MaxLoss | None:
    inner = f.known(rules, "max_loss", Fields.within)
    if inner is None:
        return None
    inner.only("trail", "measure", "touch", "severity", "lock", "after_payout")
    found = MaxLoss(
        amount=f.known(rules, "max_loss_amount", f.amount(size)),
        trail=f.word(inner, "trail", Trail),
        measure=f.word(inner, "measure", Measure),
        touch=f.word(inner, "touch", Touch),
        severity=f.word(inner, "severity", Severity),
        lock=f.known(inner, "lock", lambda lock, name: _lock(lock, name, initial, target)),
        after_payout=f.word(inner, "after_payout", AfterPayout) if inner.has("after_payout") else AfterPayout.KEEP,
    )
    if found.lock is not None and found.trail is Trail.STATIC:
        raise unreadable(Code.FIELD_CONTRADICTION, field=inner.path("lock"), other=inner.path("trail"))
    if found.lock is None and found.after_payout is AfterPayout.LOCK:
        raise unreadable(Code.FIELD_CONTRADICTION, field=inner.path("after_payout"), other=inner.path("lock"))
    return found


def _lock(inner: Fields, name: str, initial: Decimal, target: Decimal | None) -> Decimal:
    """Read where a floor stops: so much above the initial balance, or at the target's balance."""
    if inner.written(name) != "target":
        return initial + inner.number(name)
    if target is None:
        raise unreadable(Code.FIELD_MISSING, field=inner.path("target"))
    return initial + target


def _tiers(rules: Fields) -> Iterator[Tier]:
    tiers = []
    for inner in rules.each("tiers"):
        inner.only("profit", "minis", "daily_loss")
        daily_loss = f.maybe(inner, "daily_loss", f.money)
        tiers.append(Tier(profit=inner.number("profit"), minis=f.count()(inner, "minis"), daily_loss=daily_loss))
    if tiers and (tiers[0].profit != 0 or any(low.profit >= high.profit for low, high in pairwise(tiers))):
        profits = ", ".join(f"{tier.profit:f}" for tier in tiers)
        raise f.unlike(rules, "tiers", "profits that begin with 0 and rise", profits)
    yield from tiers


def _micros(rules: Fields) -> Micros | None:
    if not rules.has("micros"):
        return None
    inner = rules.within("micros")
    inner.only("per_mini", "exceptions")
    return Micros(per_mini=f.count()(inner, "per_mini"), exceptions=f.named(inner, "exceptions", f.count()))


def _consistency(rules: Fields) -> Consistency | None:
    if not rules.has("consistency"):
        return None
    inner = rules.within("consistency")
    inner.only("max_share_pct", "of", "is_strict", "raises_target", "severity", "until_payout")
    return Consistency(
        max_share_pct=f.share(inner, "max_share_pct"),
        of=f.word(inner, "of", ShareOf),
        is_strict=inner.flag("is_strict"),
        raises_target=inner.flag("raises_target"),
        severity=f.word(inner, "severity", Severity),
        until_payout=f.maybe(inner, "until_payout", f.count()),
    )


def _payout(inner: Fields) -> PayoutPath:
    inner.only(
        "name", "winning_days", "min_day_profit", "trading_days", "best_day_max_pct", "minimum", "share_of_balance_pct",
        "safety_net", "caps", "max_payouts", "first_after_days", "split_pct",
    )  # fmt: skip
    return PayoutPath(
        name=inner.text("name"),
        winning_days=f.maybe(inner, "winning_days", f.count()) or 0,
        min_day_profit=f.maybe(inner, "min_day_profit", f.money) or Decimal(0),
        trading_days=f.maybe(inner, "trading_days", f.count()) or 0,
        best_day_max_pct=f.maybe(inner, "best_day_max_pct", f.share),
        minimum=f.maybe(inner, "minimum", f.money),
        share_of_balance_pct=f.maybe(inner, "share_of_balance_pct", f.share),
        safety_net=f.maybe(inner, "safety_net", f.money),
        caps=inner.prices("caps"),
        max_payouts=f.maybe(inner, "max_payouts", f.count()),
        first_after_days=f.maybe(inner, "first_after_days", f.count()),
        split_pct=f.maybe(inner, "split_pct", f.share),
    )


def _flat_by(rules: Fields) -> FlatBy | None:
    if not rules.has("flat_by"):
        return None
    inner = rules.within("flat_by")
    inner.only("zone", "at", "reopen", "earlier", "early_closes")
    return FlatBy(
        zone=f.zone(inner, "zone"),
        at=f.time_of_day(inner, "at"),
        reopen=f.time_of_day(inner, "reopen"),
        earlier=f.named(inner, "earlier", f.time_of_day),
        early_closes=f.dated(inner, "early_closes", f.time_of_day),
    )


def _rest(rules: Fields) -> Rest | None:
    if not rules.has("rest"):
        return None
    inner = rules.within("rest")
    inner.only("is_flat_over_weekend", "longest_break_min")
    return Rest(
        is_flat_over_weekend=inner.flag("is_flat_over_weekend"),
        longest_break_min=f.maybe(inner, "longest_break_min", f.count()),
    )


def _news(inner: Fields) -> NewsWindow:
    inner.only("releases", "before_min", "after_min", "forbids", "products")
    forbids = f.words(inner, "forbids")
    if not forbids:
        raise unreadable(Code.FIELD_MISSING, field=inner.path("forbids"))
    return NewsWindow(
        releases=inner.text("releases"),
        before_min=f.count(low=0)(inner, "before_min"),
        after_min=f.count(low=0)(inner, "after_min"),
        forbids=forbids,
        products=f.words(inner, "products"),
    )


def _budget(rules: Fields) -> Budget:
    inner = rules.within("budget") if rules.has("budget") else Fields({})
    inner.only("requests_per_day", "orders_at_once", "positions_per_day", "max_allocation", "max_accounts")
    return Budget(
        requests_per_day=f.maybe(inner, "requests_per_day", f.count()),
        orders_at_once=f.maybe(inner, "orders_at_once", f.count()),
        positions_per_day=f.maybe(inner, "positions_per_day", f.count()),
        max_allocation=f.maybe(inner, "max_allocation", f.money),
        max_accounts=f.maybe(inner, "max_accounts", f.count()),
    )


def _policy(rules: Fields) -> dict[Axis, Stand]:
    inner = rules.within("policy")
    inner.only(*Axis)
    return {axis: _stand(inner.within(axis)) for axis in Axis}


def _stand(inner: Fields) -> Stand:
    inner.only("is", "confidence", "verified", "source", "sentence")
    return Stand(
        permission=f.word(inner, "is", Permission),
        confidence=f.word(inner, "confidence", Confidence),
        verified=f.day(inner, "verified"),
        source=inner.text("source"),
        sentence=inner.text("sentence"),
    )
