"""The program files say what the firms say; the parser refuses by name; the library picks by date and tells changes."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest

from mikrobot_platform.kernel.decisions import Code
from risk_management.compliance.changes import changes
from risk_management.compliance.library import Choice, Library, Overlap, bundled, load
from risk_management.compliance.notices import notice
from risk_management.compliance.parser import ProgramRefused, parse
from risk_management.compliance.program import Axis, Confidence, Phase, Program, Trail
from risk_management.tests.programs import TODAY, library, pick, utc

D = Decimal
FILES = bundled()


def file(name: str = "topstep-trading-combine.2026-10.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILES[name])
    return found


# --- What the files say ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("firm", "program", "phase", "variant", "figures"),
    [
        # size: target, maximum loss, daily loss, contracts
        ("FTMO", "2-Step", "challenge", "standard", {
            10_000: (1_000, 1_000, 500, None), 25_000: (2_500, 2_500, 1_250, None), 50_000: (5_000, 5_000, 2_500, None),
            100_000: (10_000, 10_000, 5_000, None), 200_000: (20_000, 20_000, 10_000, None)}),
        ("FTMO", "2-Step", "verification", "swing", {100_000: (5_000, 10_000, 5_000, None)}),
        ("FTMO", "2-Step", "funded", "swing", {100_000: (None, 10_000, 5_000, None)}),
        ("FTMO", "1-Step", "challenge", "standard", {100_000: (10_000, 10_000, 3_000, None)}),
        ("FTMO", "1-Step", "funded", "standard", {200_000: (None, 20_000, 6_000, None)}),
        ("Topstep", "Trading Combine", "challenge", "standard", {50_000: (3_000, 2_000, 1_000, 5),
         100_000: (6_000, 3_000, 2_000, 10), 150_000: (9_000, 4_500, 3_000, 15)}),
        ("Topstep", "Express Funded", "funded", "standard", {50_000: (None, 2_000, 1_000, 5),
         100_000: (None, 3_000, 2_000, 10), 150_000: (None, 4_500, 3_000, 15)}),
        ("Topstep", "Live Funded", "funded", "standard", {50_000: (None, None, None, None)}),
        ("Apex", "4.0 Evaluation", "challenge", "eod_rithmic", {
        25_000: (1_500, 1_000, 500, 4), 50_000: (3_000, 2_000, 1_000, 6),
         100_000: (6_000, 3_000, 1_500, 8), 150_000: (9_000, 4_000, 2_000, 12)}),
        ("Apex", "4.0 Evaluation", "challenge", "intraday_tradovate", {50_000: (3_000, 2_000, None, 6)}),
        ("Apex", "4.0 Performance Account", "funded", "eod", {
        25_000: (None, 1_000, 500, 2), 50_000: (None, 2_000, 1_000, 4),
         100_000: (None, 3_000, 1_750, 6), 150_000: (None, 4_000, 2_500, 10)}),
        ("Apex", "Legacy", "challenge", "rithmic", {
        25_000: (1_500, 1_500, None, 4), 50_000: (3_000, 2_500, None, 10),
         75_000: (4_250, 2_750, None, 12), 100_000: (6_000, 3_000, None, 14), 150_000: (9_000, 5_000, None, 17),
         250_000: (15_000, 6_500, None, 27), 300_000: (20_000, 7_500, None, 35)}),
        ("Apex", "Legacy", "challenge", "static", {100_000: (2_000, 625, None, 2)}),
    ],
)  # fmt: skip
def test_the_amounts_of_every_size(
    firm: str, program: str, phase: str, variant: str, figures: dict[int, tuple[int | None, ...]]
) -> None:
    for size, expected in figures.items():
        found = pick(firm, program, phase, size, variant)
        daily = found.daily_loss or found.optional_daily_loss
        assert found.max_loss is not None
        assert (found.target, found.max_loss.amount, daily and daily.amount, found.max_minis) == expected, size


@pytest.mark.parametrize(
    ("key", "trail", "lock"),
    [
        (("FTMO", "2-Step", "challenge", 100_000), Trail.STATIC, None),
        (("FTMO", "1-Step", "challenge", 100_000), Trail.EOD_BALANCE, None),
        (("Topstep", "Trading Combine", "challenge", 150_000), Trail.EOD_BALANCE, 150_000),
        (("Topstep", "Express Funded", "funded", 150_000), Trail.EOD_BALANCE, 0),
        (("Apex", "4.0 Evaluation", "challenge", 50_000, "eod_wealthcharts"), Trail.EOD_BALANCE, 53_000),
        (("Apex", "4.0 Evaluation", "challenge", 50_000, "eod_tradovate"), Trail.EOD_BALANCE, None),
        (("Apex", "4.0 Evaluation", "challenge", 50_000, "intraday_rithmic"), Trail.INTRADAY_EQUITY, 53_000),
        (("Apex", "4.0 Performance Account", "funded", 25_000, "intraday"), Trail.INTRADAY_EQUITY, 25_100),
        (("Apex", "Legacy", "funded", 300_000, "trailing"), Trail.INTRADAY_EQUITY, 300_100),
        (("Apex", "Legacy", "funded", 100_000, "static"), Trail.STATIC, None),
    ],
)
def test_what_each_floor_follows_and_where_it_stops(key: tuple[Any, ...], trail: Trail, lock: int | None) -> None:
    rule = pick(*key).max_loss
    assert rule is not None
    assert (rule.trail, rule.lock) == (trail, lock)


def test_the_rest_of_what_firms_say_is_there() -> None:
    ftmo = pick("FTMO", "2-Step", "funded", 100_000)
    budget = ftmo.budget
    assert [budget.requests_per_day, budget.orders_at_once, budget.max_allocation] == [2_000, 200, 400_000]
    assert ftmo.rest is not None
    assert (ftmo.rest.is_flat_over_weekend, ftmo.rest.longest_break_min, ftmo.leverage_fx) == (True, 120, 100)
    release = utc("2026-06-10 12:30")
    news = ftmo.news[0]
    assert [news.is_open(release, release + timedelta(seconds=s)) for s in (-121, -120, 0, 120, 121)] == [
        False, True, True, True, False
    ]  # fmt: skip
    swing = pick("FTMO", "2-Step", "funded", 100_000, "swing")
    assert (swing.rest, swing.news, swing.leverage_fx) == (None, (), 30)
    combine = pick("Topstep", "Trading Combine", "challenge", 50_000)
    assert combine.micros is not None
    counted = {product: combine.micros.minis(product, 4) for product in ("MNQ", "SIL", "MBT", "MET")}
    assert counted == {"MNQ": D("0.4"), "SIL": 2, "MBT": 4, "MET": 4}
    assert [combine.micros.minis_rounded_up("MNQ", micros) for micros in (1, 10, 11)] == [1, 1, 2]
    assert combine.news[0].products == ("ES", "RTY", "YM", "NQ", "NKD", "GC", "SI", "HG", "PL")
    assert pick("Topstep", "Express Funded", "funded", 100_000).confidence is Confidence.MEDIUM
    assert pick("Topstep", "Express Funded", "funded", 50_000).confidence is Confidence.HIGH
    legacy = pick("Apex", "Legacy", "funded", 50_000, "trailing")
    assert {step.profit: step.minis for step in legacy.tiers} == {D(0): 5, D(2_600): 10}


def test_every_program_states_its_policy_and_its_source() -> None:
    assert len(library().programs) == 114
    for program in library().programs:
        assert program.policy.keys() == set(Axis)
        assert program.edition.source.startswith("https://")
        assert all(said.source.startswith("https://") and said.sentence for said in program.policy.values())
        for said in program.policy.values():
            assert said.sentence == notice(Code.PROGRAM_UNSURE, program="", axis="", rule=said.sentence, verified="",
                                           source="").evidence["rule"]  # fmt: skip


# Each edition that was ever delivered, with the beginning of a hash of its rules. Owners are told what changed between
# two editions that are both among our files (services/program_news.py): none is edited, and none is taken away.
EDITIONS = {
    "apex-4.0-evaluation.2026-03.json": "45e104c88bae",
    "apex-4.0-performance.2026-03.json": "d54198f94276",
    "apex-legacy.2026-03.json": "5111fcddd983",
    "ftmo-1-step.2026-10.json": "a6605ebcbf69",
    "ftmo-2-step.2026-10.json": "341c6d130196",
    "topstep-express-funded.2026-08.json": "94a0ff7e5577",
    "topstep-live-funded.2026-10.json": "bced731cfacb",
    "topstep-trading-combine.2026-10.json": "fa2818d5c122",
}  # fmt: skip


def rules_hash(name: str) -> str:
    """Hash what a file says, without when and where it was read, and until when it held."""

    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            unsaid = ("verified", "source", "note", "valid_until", "confidence")
            return {key: bare(inner) for key, inner in value.items() if key not in unsaid}
        return [bare(inner) for inner in value] if isinstance(value, list) else value

    return sha256(json.dumps(bare(file(name)), sort_keys=True).encode()).hexdigest()[:12]


def test_a_changed_rule_makes_a_new_version_and_the_old_one_stays() -> None:
    """Where this fails: end the old file with `valid_until`, write a new one, and add its line above."""
    assert {name: rules_hash(name) for name in FILES} == EDITIONS


# --- Refused by name -------------------------------------------------------------------------------------------------
SIZE = ("phases", "challenge", "sizes", "50000")


@pytest.mark.parametrize(
    ("path", "value", "code", "field"),
    [
        (("format",), 2, Code.FIELD_VALUE, "format"),
        (("firms",), "x", Code.FIELD_UNKNOWN, "firms"),
        (("max_los",), {}, Code.FIELD_UNKNOWN, "max_los"),
        (("phases", "combine"), {}, Code.FIELD_UNKNOWN, "phases.combine"),
        (("phases", "challenge", "sises"), {}, Code.FIELD_UNKNOWN, "phases.challenge.sises"),
        ((*SIZE, "max_loss_amout"), 1, Code.FIELD_UNKNOWN, "phases.challenge.sizes.50000.max_loss_amout"),
        ((*SIZE, "firm"), "x", Code.FIELD_UNKNOWN, "phases.challenge.sizes.50000.firm"),
        ((*SIZE, "max_loss_amount"), 0, Code.FIELD_VALUE, "phases.challenge.standard.50000.max_loss_amount"),
        ((*SIZE, "max_loss_amount"), "200 %", Code.FIELD_VALUE, "phases.challenge.standard.50000.max_loss_amount"),
        ((*SIZE, "max_loss_amount"), "5", Code.FIELD_TYPE, "phases.challenge.standard.50000.max_loss_amount"),
        ((*SIZE, "max_loss_amount"), ..., Code.FIELD_MISSING, "phases.challenge.standard.50000.max_loss_amount"),
        ((*SIZE, "target"), ..., Code.FIELD_MISSING, "phases.challenge.standard.50000.target"),
        (("daily_loss",), ..., Code.FIELD_MISSING, "phases.challenge.standard.50000.daily_loss"),
        (("max_loss",), ..., Code.FIELD_MISSING, "phases.challenge.standard.50000.max_loss"),
        (("max_loss", "lock"), ..., Code.FIELD_MISSING, "phases.challenge.standard.50000.max_loss.lock"),
        (("max_loss", "trail"), "daily", Code.FIELD_VALUE, "phases.challenge.standard.50000.max_loss.trail"),
        (("max_loss", "trail"), "static", Code.FIELD_CONTRADICTION, "phases.challenge.standard.50000.max_loss.lock"),
        (("max_loss",), {**file()["max_loss"], "lock": None, "after_payout": "lock"},
         Code.FIELD_CONTRADICTION, "phases.challenge.standard.50000.max_loss.after_payout"),
        (("max_loss", "measure"), "", Code.FIELD_VALUE, "phases.challenge.standard.50000.max_loss.measure"),
        (("daily_loss", "severity"), "stop", Code.FIELD_VALUE, "phases.challenge.standard.50000.daily_loss.severity"),
        (("daily_loss", "is_optional"), 1, Code.FIELD_TYPE, "phases.challenge.standard.50000.daily_loss.is_optional"),
        (("day", "zone"), "Europe/Praha", Code.FIELD_VALUE, "phases.challenge.standard.50000.day.zone"),
        (("day", "zone"), "Etc/GMT-1", Code.FIELD_VALUE, "phases.challenge.standard.50000.day.zone"),
        (("day", "zone"), "../../etc/passwd", Code.FIELD_VALUE, "phases.challenge.standard.50000.day.zone"),
        (("day", "at"), "24:00", Code.FIELD_VALUE, "phases.challenge.standard.50000.day.at"),
        (("day", "at"), "17:00+01:00", Code.FIELD_VALUE, "phases.challenge.standard.50000.day.at"),
        (("consistency", "max_share_pct"), 101, Code.FIELD_VALUE,
         "phases.challenge.standard.50000.consistency.max_share_pct"),
        (("micros", "exceptions", "SIL"), 0, Code.FIELD_VALUE,
         "phases.challenge.standard.50000.micros.exceptions.SIL"),
        (("flat_by", "early_closes"), {"2026-13-01": "12:00"}, Code.FIELD_VALUE,
         "phases.challenge.standard.50000.flat_by.early_closes"),
        (("tiers",), [{"profit": 100, "minis": 1}], Code.FIELD_VALUE, "phases.challenge.standard.50000.tiers"),
        (("tiers",), [{"profit": 0, "minis": 1}, {"profit": 0, "minis": 2}], Code.FIELD_VALUE,
         "phases.challenge.standard.50000.tiers"),
        (("policy", "hedging"), ..., Code.FIELD_MISSING, "phases.challenge.standard.50000.policy.hedging"),
        (("policy", "hedging", "is"), "maybe", Code.FIELD_VALUE, "phases.challenge.standard.50000.policy.hedging.is"),
        (("policy", "hedging", "source"), ..., Code.FIELD_MISSING,
         "phases.challenge.standard.50000.policy.hedging.source"),
        (("policy", "gambling"), {}, Code.FIELD_UNKNOWN, "phases.challenge.standard.50000.policy.gambling"),
        (("verified",), "2026-10", Code.FIELD_VALUE, "verified"),
        (("valid_until",), ..., Code.FIELD_MISSING, "valid_until"),
        (("valid_until",), "2026-10-03", Code.FIELD_VALUE, "valid_until"),
        (("phases",), {}, Code.FIELD_MISSING, "phases"),
        (("phases", "challenge", "sizes"), {"50K": {}}, Code.NOT_A_NUMBER, "phases.challenge.sizes.50K"),
        (("news",), [{"releases": "CPI", "before_min": 5, "after_min": 5}], Code.FIELD_MISSING,
         "phases.challenge.standard.50000.news[0].forbids"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_refused_by_name(path: tuple[str, ...], value: object, code: Code, field: str) -> None:
    wrong = file()
    place: Any = wrong
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with pytest.raises(ProgramRefused) as refused:
        parse(json.dumps(wrong))
    assert (refused.value.reason.code, refused.value.reason.evidence["field"]) == (code, field)
    assert field in str(refused.value)


@pytest.mark.parametrize("name", FILES)
def test_every_field_of_every_file_is_known_and_no_other(name: str) -> None:
    """Plant a field into each object of each file: where anything may stand, a misspelt limit would be no limit."""
    whole = file(name)
    free = {"sizes", "variants", "exceptions", "earlier", "early_closes"}  # their keys are names, not fields
    places = list(objects(whole, ()))
    assert len(places) > 10
    for path in places:
        wrong = deepcopy(whole)
        place: Any = wrong
        for step in path:
            place = place[step]
        if path and path[-1] in free:
            continue
        place["surprise"] = 1
        with pytest.raises(ProgramRefused, match=r"surprise is not part of this form"):
            parse(json.dumps(wrong))


def objects(value: Any, path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    found = [path] if isinstance(value, dict) else []
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [place for key, inner in inside for place in objects(inner, (*path, key))]


def test_what_stands_further_in_replaces_what_stands_further_out() -> None:
    """Give each level one number less of five: file, phase, size, variant, size of the variant."""
    levels: dict[str, Any] = file()
    names = ("mae_pct", "leverage_fx", "min_trading_days", "time_limit_days", "inactivity_days")
    phase = levels["phases"]["challenge"]
    phase["sizes"] = {"50000": {**phase["sizes"]["50000"]}}
    phase["variants"] = {"a": {"sizes": {"50000": {}}}}
    inside = (levels, phase, phase["sizes"]["50000"], phase["variants"]["a"], phase["variants"]["a"]["sizes"]["50000"])
    for depth, level in enumerate(inside, start=1):
        level.update(dict.fromkeys(names[depth - 1 :], depth))
    (program,) = parse(json.dumps(levels))
    assert [getattr(program, name) for name in names] == [1, 2, 3, 4, 5]
    assert program.variant == "a"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 1, "format": 1}', "{} {}"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ProgramRefused):
        parse(text)


def test_a_wrong_file_is_named() -> None:
    with pytest.raises(ProgramRefused) as refused:
        load({"broken.json": b"{}"})
    assert refused.value.__notes__ == ["broken.json"]


# --- The library -----------------------------------------------------------------------------------------------------
def choice(firm: str = "Topstep", program: str = "Trading Combine", size: int = 50_000, **more: Any) -> Choice:
    return Choice(firm=firm, program=program, phase=Phase.CHALLENGE, size=D(size), **more)


def codes(one: Choice, on: date, shelf: Library | None = None) -> list[Code]:
    return [found.code for found in (shelf or library()).find(one, on=on).notices]


def successor() -> dict[str, Any]:
    """The next version of the Combine: as it would be if its best day fell to 50 % and a loss to 1,800."""
    new = file()
    new.update(version="2027-01", valid_from="2027-01-01", verified="2027-01-02")
    new["consistency"]["max_share_pct"] = 50
    new["phases"]["challenge"]["sizes"]["50000"]["max_loss_amount"] = 1_800
    new["policy"]["copying"].update(sentence="Only one account.", **{"is": "forbidden"})
    return new


def shelf() -> Library:
    old = file()
    old["valid_until"] = "2026-12-31"
    return load({"old": json.dumps(old), "new": json.dumps(successor())})


@pytest.mark.parametrize(
    ("day", "version"), [("2026-10-04", "2026-10"), ("2026-12-31", "2026-10"), ("2027-01-01", "2027-01")]
)
def test_the_version_that_holds_on_the_day_is_picked(day: str, version: str) -> None:
    found = shelf().find(choice(), on=date.fromisoformat(day)).program
    assert found is not None
    assert found.edition.version == version


def test_two_versions_for_one_day_are_refused() -> None:
    with pytest.raises(Overlap, match="Topstep Trading Combine: versions 2026-10 and 2027-01"):
        load({"old": FILES["topstep-trading-combine.2026-10.json"], "new": json.dumps(successor())})
    with pytest.raises(Overlap):
        load({"one": json.dumps(file()), "same again": json.dumps(file())})


def test_what_changed_is_said_in_words() -> None:
    old, new = (shelf().find(choice(), on=date.fromisoformat(day)).program for day in ("2026-12-01", "2027-01-01"))
    assert old is not None
    assert new is not None
    found = changes(old, new)
    assert tuple(change.sentence for change in found) == (
        "max loss, amount: 2,000 became 1,800",
        "consistency, max share pct: 55 became 50",
        "policy, copying: allowed (One's own accounts may be copied to each other, without hedging across them.) "
        "became forbidden (Only one account.)",
    )
    assert [(change.before, change.after) for change in found[:2]] == [("2,000", "1,800"), ("55", "50")]
    of_edition, of_policy = found[0], found[2]
    assert (of_edition.verified, of_edition.source) == (date(2027, 1, 2), new.edition.source)
    assert (of_policy.verified, of_policy.source) == (date(2026, 10, 4), new.policy[Axis.COPYING].source)
    assert changes(old, old) == ()


def test_a_rule_that_came_or_went_is_a_change() -> None:
    without, with_loss = (
        pick("Topstep", "Trading Combine", "challenge", 50_000, has_optional_daily_loss=is_on)
        for is_on in (False, True)
    )
    came = {change.rule: (change.before, change.after) for change in changes(without, with_loss)}
    went = {change.rule: (change.before, change.after) for change in changes(with_loss, without)}
    assert came["daily loss, amount"] == ("not set", "1,000")
    assert went == {rule: (after, before) for rule, (before, after) in came.items()}


def test_no_rule_can_change_without_a_word() -> None:
    """Two different programs of the files never look the same, and each field of a program is looked at."""
    one, other = pick("FTMO", "2-Step", "funded", 50_000), pick("Apex", "Legacy", "funded", 50_000, "trailing")
    named = " ".join(change.rule for change in changes(one, other))
    same = {field.name for field in fields(Program) if getattr(one, field.name) == getattr(other, field.name)}
    for field in fields(Program):
        value = getattr(one, field.name), getattr(other, field.name)
        if field.name not in same | {"edition", "confidence"} and not all(is_dataclass(v) or not v for v in value):
            assert field.name.replace("_", " ") in named, field.name


@pytest.mark.parametrize(
    ("one", "day", "expected"),
    [
        (choice(), "2026-10-05", []),
        (choice(firm="TOPSTEP", program="trading combine"), "2026-11-03", []),
        (choice(), "2026-11-04", [Code.PROGRAM_STALE]),
        (choice(), "2026-10-03", [Code.PROGRAM_NOT_VALID, Code.PROGRAM_UNKNOWN]),
        (choice(firm="Nobody"), "2026-10-05", [Code.PROGRAM_FIRM_UNKNOWN, Code.PROGRAM_UNKNOWN]),
        (choice(program="Futures"), "2026-10-05", [Code.PROGRAM_UNKNOWN]),
        (choice(size=60_000), "2026-10-05", [Code.PROGRAM_UNKNOWN]),
        (choice(variant="swing"), "2026-10-05", [Code.PROGRAM_UNKNOWN]),
        (choice(firm="Apex", program="Legacy", variant="rithmic", opened=date(2026, 2, 28)), "2026-09-05", []),
        (choice(firm="Apex", program="Legacy", variant="rithmic", opened=date(2026, 3, 1)), "2026-09-05",
         [Code.PROGRAM_NOT_VALID, Code.PROGRAM_UNKNOWN]),
        (choice(firm="Apex", program="4.0 Evaluation", variant="eod_rithmic", opened=date(2026, 2, 28)), "2026-10-05",
         [Code.PROGRAM_NOT_VALID, Code.PROGRAM_UNKNOWN]),
    ],
)  # fmt: skip
def test_what_is_known_of_an_account(one: Choice, day: str, expected: list[Code]) -> None:
    assert codes(one, date.fromisoformat(day)) == expected
    found = library().find(one, on=date.fromisoformat(day)).program
    assert (found is None) == (Code.PROGRAM_UNKNOWN in expected)


@pytest.mark.parametrize(
    ("one", "day", "sentence"),
    [
        (choice(), "2026-10-03", "do not hold for this account on 2026-10-03: they are known from 2026-10-04 on."),
        (choice(firm="Apex", program="Legacy", variant="rithmic", opened=date(2026, 4, 1)), "2026-09-05",
         "on 2026-09-05: they are for accounts opened before 2026-03-01."),
        (choice(firm="Apex", program="4.0 Evaluation", variant="eod_rithmic", opened=date(2026, 2, 1)), "2026-10-05",
         "on 2026-10-05: they are for accounts opened from 2026-03-01 on."),
        (choice(firm="Nobody"), "2026-10-05", "The rules of Nobody are not known here."),
    ],
)  # fmt: skip
def test_the_reason_is_said(one: Choice, day: str, sentence: str) -> None:
    assert library().find(one, on=date.fromisoformat(day)).notices[0].sentence.endswith(sentence)


def test_a_version_that_ended_says_so() -> None:
    old = file()
    old["valid_until"] = "2026-12-31"
    found = load({"old": json.dumps(old)}).find(choice(), on=date(2027, 1, 1))
    assert found.program is None
    assert "they ended with 2026-12-31" in found.notices[0].sentence


def test_an_optional_daily_loss_is_there_when_the_customer_has_it() -> None:
    assert pick("Topstep", "Trading Combine", "challenge", 50_000).daily_loss is None
    switched_on = pick("Topstep", "Trading Combine", "challenge", 50_000, has_optional_daily_loss=True).daily_loss
    assert switched_on is not None
    assert switched_on.amount == 1_000


def test_the_tests_day_is_after_every_verification() -> None:
    assert all(program.edition.verified <= TODAY for program in library().programs)
