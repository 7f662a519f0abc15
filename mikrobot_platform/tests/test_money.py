"""Money stays exact, does not mix, and changes currency on a rate that is there and recent, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Context, Decimal, DecimalException, Inexact
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mikrobot_platform.kernel.decisions import Code, Refusal
from mikrobot_platform.kernel.money import (
    EXACT,
    LOSSLESS,
    MINOR_DIGITS,
    Currency,
    CurrencyMismatch,
    CurrencyUnknown,
    Money,
    Ratio,
    Rounding,
    Within,
    currency,
    exactly,
    minor_unit,
    money,
    rounded_up,
)
from mikrobot_platform.kernel.rates import NO_RATES, Rate, RateBook, conversion, convert, rate_book

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
USD, EUR, JPY, GBP = (currency(code) for code in ("USD", "EUR", "JPY", "GBP"))

amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=8)
positive = st.decimals(min_value=Decimal("0.00000001"), max_value=10**7, places=8)


def rate(pair: str, value: str, *, age_s: int = 0) -> Rate:
    base, quote = pair.split("/")
    return Rate(base=currency(base), quote=currency(quote), value=Decimal(value), at=NOW - timedelta(seconds=age_s))


def book(**pairs: str) -> RateBook:
    return rate_book(rate(pair.replace("_", "/"), value) for pair, value in pairs.items())


# --- Amounts ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("amount", "code", "shown"),
    [
        ("94.1", "USD", "94.10 USD"), ("0.005", "USD", "0.005 USD"), ("1E+2", "JPY", "100 JPY"),
        ("0.00000001", "BTC", "0.00000001 BTC"), ("10000000", "EUR", "10000000.00 EUR"), ("-3.5", "KWD", "-3.500 KWD"),
    ],
)  # fmt: skip
def test_money_shows_every_digit(amount: str, code: str, shown: str) -> None:
    assert str(money(amount, code)) == shown


def test_money_of_two_currencies_does_not_meet() -> None:
    dollars, euros = money("1", "USD"), money("1", "EUR")
    for meet in (
        lambda: dollars + euros, lambda: dollars - euros, lambda: dollars < euros, lambda: dollars <= euros,
        lambda: dollars > euros, lambda: dollars >= euros,
    ):  # fmt: skip
        with pytest.raises(CurrencyMismatch):
            meet()
    assert dollars != euros


@pytest.mark.parametrize("code", ["", "US", "XYZ", "US D", "EUROS"])
def test_a_currency_that_is_not_known_is_refused(code: str) -> None:
    with pytest.raises(CurrencyUnknown):
        currency(code)


def test_money_is_a_number_in_a_known_currency() -> None:
    with pytest.raises(CurrencyUnknown):
        Money(amount=Decimal(1), currency=Currency("xyz"))
    for nonsense in ("NaN", "Infinity", "sNaN"):
        with pytest.raises(ValueError, match="is no amount"):
            money(nonsense, "USD")


@pytest.mark.parametrize(
    ("amount", "code", "down", "nearest", "up"),
    [
        ("1.005", "USD", "1.00", "1.00", "1.01"),
        ("1.015", "USD", "1.01", "1.02", "1.02"),
        ("-1.005", "USD", "-1.01", "-1.00", "-1.00"),
        ("999.5", "JPY", "999", "1000", "1000"),
        ("1.2345", "KWD", "1.234", "1.234", "1.235"),
        ("0.123456789", "BTC", "0.12345678", "0.12345679", "0.12345679"),
        ("7", "EUR", "7.00", "7.00", "7.00"),
    ],
)
def test_rounding_says_towards_what(amount: str, code: str, down: str, nearest: str, up: str) -> None:
    given_ = money(amount, code)
    assert [str(given_.rounded(way).amount) for way in (Rounding.DOWN, Rounding.NEAREST, Rounding.UP)] == [
        down, nearest, up,
    ]  # fmt: skip


def test_every_currency_has_a_smallest_unit() -> None:
    assert [minor_unit(currency(code)) for code in ("JPY", "USD", "KWD", "BTC")] == [
        Decimal(text) for text in ("1", "0.01", "0.001", "0.00000001")
    ]
    assert all(code == code.upper() and 0 <= digits <= 8 for code, digits in MINOR_DIGITS.items())


def test_a_percentage_is_exact() -> None:
    assert money("98909", "USD").percent(Decimal("0.55")) == money("543.9995", "USD")


def test_arithmetic_that_loses_a_digit_raises() -> None:
    with pytest.raises(Inexact):
        EXACT.divide(Decimal(1), Decimal(3))
    assert money("0.00000001", "BTC") + money("10000000", "BTC") == money("10000000.00000001", "BTC")


@given(amounts, amounts)
def test_sums_are_exact_and_come_apart_again(left: Decimal, right: Decimal) -> None:
    one, two = Money(amount=left, currency=USD), Money(amount=right, currency=USD)
    assert (one + two) - two == one
    assert Fraction((one + two).amount) == Fraction(left) + Fraction(right)


@given(amounts, positive, st.sampled_from(Rounding))
def test_a_ratio_rounds_like_a_fraction(top: Decimal, bottom: Decimal, rounding: Rounding) -> None:
    exact, unit = Fraction(top) / Fraction(bottom), Fraction(1, 100)
    scaled = exact / unit
    expected = {
        Rounding.DOWN: scaled.__floor__(), Rounding.UP: scaled.__ceil__(), Rounding.NEAREST: round(scaled),
    }[rounding]  # fmt: skip
    assert Fraction(Ratio(top, bottom).rounded(Decimal("0.01"), rounding)) == expected * unit


@given(amounts, positive, amounts, positive)
def test_ratios_reckon_like_fractions(a: Decimal, b: Decimal, c: Decimal, d: Decimal) -> None:
    def same(ratio: Ratio, expected: Fraction) -> bool:
        return Fraction(ratio.top) / Fraction(ratio.bottom) == expected

    left, right = Fraction(a) / Fraction(b), Fraction(c) / Fraction(d)
    assert same(Ratio(a, b).plus(Ratio(c, d)), left + right)
    assert same(Ratio(a, b).plus(Ratio(c, b)), left + Fraction(c) / Fraction(b))
    assert same(Ratio(a, b).minus(Ratio(c, d)), left - right)
    assert same(Ratio(a, b).by(Ratio(c, d)), left * right)
    assert same(Ratio(a, b).times(c), left * Fraction(c))
    assert same(Ratio(a, b).over(Ratio(d, b)), Fraction(a) / Fraction(d))
    assert same(Ratio(a, b).least(Ratio(c, d)), min(left, right))


# --- Rates -----------------------------------------------------------------------------------------------------------
BOOK = book(
    EUR_USD="1.08", GBP_USD="1.27", USD_JPY="150", USD_CHF="0.88", USDT_USD="0.999", BTC_USDT="100000", EUR_CHF="0.95"
)


@pytest.mark.parametrize(
    ("amount", "source", "target", "path", "expected"),
    [
        ("100", "EUR", "EUR", "EUR", "100.00"),
        ("100", "EUR", "USD", "EUR USD", "108.00"),  # directly
        ("100", "USD", "EUR", "USD EUR", "92.59"),  # inverted: 100 / 1.08 = 92.5925...
        ("1000", "JPY", "USD", "JPY USD", "6.67"),  # 1000 / 150 = 6.6667
        ("100", "GBP", "EUR", "GBP USD EUR", "117.59"),  # 100 x 1.27 / 1.08 = 117.5925...
        ("100", "EUR", "JPY", "EUR USD JPY", "16200"),  # 100 x 1.08 x 150
        ("100", "EUR", "CHF", "EUR CHF", "95.00"),  # the straight way first: through USD it would be 95.04
        ("100", "USDT", "USD", "USDT USD", "99.90"),  # a dollar coin is no dollar
        ("0.5", "BTC", "USD", "BTC USDT USD", "49950.00"),
        ("250", "GBX", "GBP", "GBX GBP", "2.50"),
        ("250", "GBX", "USD", "GBP USD", "3.18"),  # 2.50 x 1.27 = 3.175, half to even
        ("3", "GBP", "GBX", "GBP GBX", "300.00"),
        ("127", "USD", "GBX", "USD GBP", "10000.00"),
        ("70", "GBX", "GBX", "GBX", "70.00"),
    ],
)
def test_money_changes_currency(amount: str, source: str, target: str, path: str, expected: str) -> None:
    found = conversion(currency(source), currency(target), BOOK, now=NOW, max_age=MINUTE)
    assert not isinstance(found, Refusal)
    assert " ".join(found.path) == path
    changed = convert(money(amount, source), currency(target), BOOK, now=NOW, max_age=MINUTE)
    assert isinstance(changed, Money)
    assert (str(changed.amount), changed.currency) == (expected, target)


def test_rounding_of_a_change_follows_the_caller() -> None:
    ways = {
        way: convert(money("100", "USD"), EUR, BOOK, now=NOW, max_age=MINUTE, rounding=way) for way in Rounding
    }  # fmt: skip
    assert [ways[way] for way in (Rounding.DOWN, Rounding.NEAREST, Rounding.UP)] == [
        money(text, "EUR") for text in ("92.59", "92.59", "92.60")
    ]


@pytest.mark.parametrize(
    ("rates", "source", "target"),
    [
        (NO_RATES, "USD", "EUR"),
        (BOOK, "USD", "SEK"),
        (BOOK, "BTC", "EUR"),  # two thirds would be needed
        (book(EUR_USD="1.08"), "USDT", "EUR"),  # USDT is not taken for USD
        (book(EUR_USD="1.08"), "GBX", "USD"),
    ],
)
def test_a_missing_rate_is_named(rates: RateBook, source: str, target: str) -> None:
    found = convert(money("1", source), currency(target), rates, now=NOW, max_age=MINUTE)
    assert isinstance(found, Refusal)
    assert found.code is Code.RATE_MISSING
    assert found.sentence == f"Not traded: there is no rate from {source} to {target}."


@pytest.mark.parametrize(("age_s", "is_good"), [(0, True), (60, True), (61, False), (-60, True), (-61, False)])
def test_a_rate_is_good_for_its_time(age_s: int, is_good: bool) -> None:
    """A quote from the future tells of a wrong clock, and is no better than an old one."""
    rates = rate_book([rate("EUR/USD", "1.08", age_s=age_s)])
    found = conversion(EUR, USD, rates, now=NOW, max_age=MINUTE)
    assert (not isinstance(found, Refusal)) is is_good
    if isinstance(found, Refusal):
        assert found.code is Code.RATE_STALE
        assert found.evidence["pair"] == "EUR/USD"
        assert found.evidence["age_s"] == 61


@pytest.mark.parametrize("old", ["EUR/USD", "USD/JPY"])
def test_one_stale_leg_makes_the_way_stale(old: str) -> None:
    rates = rate_book(
        rate(pair, value, age_s=3600 if pair == old else 0) for pair, value in (("EUR/USD", "1.08"), ("USD/JPY", "150"))
    )
    found = conversion(EUR, JPY, rates, now=NOW, max_age=MINUTE)
    assert isinstance(found, Refusal)
    assert (found.code, found.evidence["pair"]) == (Code.RATE_STALE, old)


def test_a_fresh_way_round_is_taken_when_the_straight_one_is_stale() -> None:
    rates = rate_book([rate("EUR/JPY", "160", age_s=3600), rate("EUR/USD", "1.08"), rate("USD/JPY", "150")])
    found = conversion(EUR, JPY, rates, now=NOW, max_age=MINUTE)
    assert not isinstance(found, Refusal)
    assert found.path == (EUR, USD, JPY)
    assert found.factor.rounded(Decimal("0.01"), Rounding.NEAREST) == Decimal("162.00")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_newest_rate_counts_whichever_way_it_is_quoted(order: tuple[int, ...]) -> None:
    quotes = [rate("USD/EUR", "0.7", age_s=30), rate("EUR/USD", "1.08", age_s=5), rate("USD/EUR", "0.8")]
    rates = rate_book(quotes[place] for place in order)
    assert convert(money("8", "USD"), EUR, rates, now=NOW, max_age=MINUTE) == money("6.40", "EUR")
    assert convert(money("8", "EUR"), USD, rates, now=NOW, max_age=MINUTE) == money("10.00", "USD")


@pytest.mark.parametrize(("base", "quote", "value"), [("EUR", "EUR", "1"), ("EUR", "USD", "0"), ("EUR", "USD", "-1")])
def test_nonsense_is_no_rate(base: str, quote: str, value: str) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        rate(f"{base}/{quote}", value)


def test_a_rate_has_a_zone() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        Rate(base=EUR, quote=USD, value=Decimal("1.08"), at=datetime(2026, 11, 20))


@given(positive, positive)
def test_there_and_back_is_the_same_amount(value: Decimal, amount: Decimal) -> None:
    """Nothing is lost on the way: the factors are exact even where a decimal has no end."""
    rates = rate_book([Rate(base=EUR, quote=USD, value=value, at=NOW)])
    there = conversion(USD, EUR, rates, now=NOW, max_age=MINUTE)
    back = conversion(EUR, USD, rates, now=NOW, max_age=MINUTE)
    assert not isinstance(there, Refusal)
    assert not isinstance(back, Refusal)
    both = there.factor.by(back.factor).times(amount)
    assert Fraction(both.top) / Fraction(both.bottom) == Fraction(amount)


@given(st.permutations(["EUR/USD", "GBP/USD", "EUR/JPY", "GBP/JPY", "EUR/CHF", "GBP/CHF"]))
def test_the_same_quotes_give_the_same_way(order: list[str]) -> None:
    found = conversion(EUR, GBP, rate_book(rate(pair, "2") for pair in order), now=NOW, max_age=MINUTE)
    assert not isinstance(found, Refusal)
    assert found.path == (EUR, USD, GBP)


# --- Contexts --------------------------------------------------------------------------------------------------------
long_figures = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20)


@given(long_figures, long_figures)
def test_what_loses_no_digit_is_the_same_in_every_context(one: Decimal, other: Decimal) -> None:
    def worked_out(context: Context) -> list[str]:
        with Within(context):
            return [str(one * other), str(one + other), str(one - other), str(one.scaleb(-6).normalize())]

    try:
        found = worked_out(LOSSLESS)
    except DecimalException:
        return
    assert found == worked_out(Context(prec=28)) == worked_out(EXACT)


@pytest.mark.parametrize("text", ["1.00000000000000000000000000000", "1.00000000000000000000000000001"])
def test_a_digit_that_is_lost_raises_be_it_a_zero(text: str) -> None:
    with Within(LOSSLESS), pytest.raises(DecimalException):
        Decimal(text) * 1


@given(long_figures, positive, st.sampled_from(["1e-10", "0.01", "1"]))
def test_rounding_up_is_that_of_a_wide_division(top: Decimal, bottom: Decimal, grid: str) -> None:
    upwards = Context(prec=90, rounding=ROUND_CEILING)
    with exactly():
        found = rounded_up(top, bottom, Decimal(grid))
    assert str(found + 0) == str(upwards.quantize(upwards.divide(top, bottom), Decimal(grid)) + 0)
