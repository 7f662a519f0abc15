"""A receipt is the same bytes for the same facts, can be made again from what is stored, and shows any change of it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.decisions import Verdict
from risk_management.rules import RULES, VERSION, decide, decide_many, verify_receipts
from risk_management.rules.facts import AccountFacts, Shared
from risk_management.rules.numbers import numbers_text
from risk_management.rules.receipt import GENESIS, Clerk, StoredFacts, again, body, chain, entry
from risk_management.tests.gate_facts import NOW, account, d, micro, own, shared

CASES: dict[str, tuple[Shared, AccountFacts]] = {
    "taken": (shared(), account()),
    "reduced": (shared(), account(snapshot__equity=d("95649.99"))),
    "skipped": (shared(strategy__max_spread=d("0.00001")), account()),
    "refused": (shared(), account(quota_used=50)),
    "of a future": (micro(), own()),
    "no plain letters": (shared(strategy__name='N\u00e4ht\u00e4v\u00e4 "\\ % \U0001f4c8'), own(organization="\u0100")),
    "figures with exponents": (shared(), own(limits__day_loss=d("1E+3"), limits__buffer=d("0E-12"))),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_text_is_canonical_and_is_made_again_from_the_stored_facts(name: str) -> None:
    of_signal, of_account = CASES[name]
    receipt = Clerk(of_signal, now=NOW).receipts([of_account])[0]
    assert receipt.text == plain.canonical(receipt.body())
    assert receipt.text.isascii()
    for stored in (receipt.facts.shared, receipt.facts.account):
        assert stored == plain.canonical(json.loads(stored))
    assert again(receipt.facts).text == receipt.text
    assert again(StoredFacts(receipt.facts.shared, receipt.facts.account, NOW)).ruled.verdict is receipt.ruled.verdict
    assert body(receipt.ruled, of_signal, of_account, now=NOW) == receipt.body()


def test_a_receipt_says_everything() -> None:
    said = Clerk(*CASES["reduced"][:1], now=NOW, versions={"release": "abc"}).receipts([CASES["reduced"][1]])[0].body()
    assert (said["verdict"], said["code"]) == ("reduced", "gate.reduced")
    assert said["sentence"] == (
        "Reduced to 4.99 lots, risk 499.00 USD (0.53 %), bound by the worst case at all stops."
    )  # fmt: skip
    assert said["evidence"] == {
        "quantity": "4.99", "unit": "lots", "risk": "499.00", "currency": "USD", "percent": "0.53",
        "bound": "the worst case at all stops",
    }  # fmt: skip
    assert [rule[0] for rule in said["rules"]] == [line.name for line in RULES]
    worst = next(rule for rule in said["rules"] if rule[0] == "worst_case")
    assert worst[1] == "reduce"
    assert worst[2]["floor"] == "95000"
    assert said["versions"] == {
        "gate": VERSION, "program": "FTMO 2-Step, challenge, 100,000 USD, version 2026-10", "release": "abc",
        "strategy": "four phases, version 7",
    }  # fmt: skip
    assert (said["signal"], said["account"], said["organization"]) == ("signal-1", "account-1", "organization-1")
    assert len(said["facts"]) == 64


def test_the_facts_hash_moves_with_every_fact() -> None:
    base = Clerk(shared(), now=NOW).receipts([account()])[0]
    assert base.facts.sha256() == base.body()["facts"]
    others = [
        Clerk(shared(atr=d("0.00091")), now=NOW).receipts([account()])[0],
        Clerk(shared(), now=NOW).receipts([account(quota_used=4)])[0],
        Clerk(shared(), now=NOW + timedelta(microseconds=1)).receipts([account()])[0],
    ]
    assert len({receipt.body()["facts"] for receipt in (base, *others)}) == 4


def test_a_moment_is_the_same_bytes_in_every_zone() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    one, other = (Clerk(shared(), now=at).receipts([account()])[0].text for at in (NOW, elsewhere))
    assert one == other


def test_many_together_are_as_each_alone() -> None:
    """What is worked out once for all accounts is worked out as for one."""
    crowd = [
        account(), own(), account(quota_used=50), account(snapshot__equity=d("95649.99")),
        own(currency=plain.read(AccountFacts, Clerk(shared(), now=NOW).receipts([own()])[0].facts.account).currency),
        account(snapshot__at=NOW - timedelta(seconds=7)), own(terms__commission_rate=d("0.00002")), account(),
    ]  # fmt: skip
    together = Clerk(shared(), now=NOW).receipts(crowd)
    for facts, receipt in zip(crowd, together, strict=True):
        assert Clerk(shared(), now=NOW).receipts([facts])[0].text == receipt.text
        assert decide(shared(), facts, now=NOW).code is receipt.ruled.code
    assert [ruled.code for ruled in decide_many(shared(), crowd, now=NOW)] == [one.ruled.code for one in together]
    assert {receipt.ruled.verdict for receipt in together} >= {Verdict.TAKEN, Verdict.REDUCED, Verdict.REFUSED}


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.text("abcdefgh_", min_size=1, max_size=6),
        st.one_of(
            st.decimals(allow_nan=False, allow_infinity=False),
            st.integers(), st.text(max_size=20), st.booleans(), st.none(), st.lists(st.text(max_size=5)).map(tuple),
        ),
        max_size=6,
    )
)  # fmt: skip
def test_numbers_are_canonical_whatever_they_are(numbers: dict[str, Any]) -> None:
    """Hold the templates against the plain way, for any names in any order and any figure."""

    def simple(value: Any) -> Any:
        if isinstance(value, tuple):
            return list(value)
        return format(value, "f") if type(value) is type(d(1)) else value

    for _ in range(2):  # the second time from the template
        assert numbers_text(numbers) == plain.canonical({name: simple(value) for name, value in numbers.items()})


# The customer's verifier


def downloaded(tmp_path: Path) -> Path:
    lines, last = [], GENESIS
    for receipt in Clerk(shared(), now=NOW).receipts([account(account=f"account-{n}", quota_used=n) for n in range(4)]):
        lines.append(entry(last, receipt.text))
        last = chain(last, receipt.text)
    path = tmp_path / "receipts.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def verify(*arguments: object) -> tuple[int, str]:
    """Run the script as a customer would: alone, with nothing of ours to import."""
    ran = subprocess.run(
        [sys.executable, "-I", str(verify_receipts.__file__), *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.stderr == "" or ran.returncode == 2, ran.stderr
    return ran.returncode, ran.stdout.strip()


def test_a_chain_that_holds_is_said_to_hold(tmp_path: Path) -> None:
    path = downloaded(tmp_path)
    last = json.loads(path.read_text().splitlines()[-1])["hash"]
    assert verify(path) == (0, f"4 receipts hold. The last hash is {last}")
    assert verify(path, last)[0] == 0
    assert verify()[0] == 2


def test_one_changed_byte_is_found_wherever_it_is(tmp_path: Path) -> None:
    """Change each byte of an entry in turn (through the script's own function: a process each would take minutes)."""
    lines = downloaded(tmp_path).read_text().splitlines()
    assert verify_receipts.broken(lines)[0] == ""
    target = lines[2]
    for at, letter in enumerate(target):
        changed = target[:at] + ("0" if letter != "0" else "1") + target[at + 1 :]
        fault, _ = verify_receipts.broken([*lines[:2], changed, lines[3]])
        assert fault.startswith("entry 3 "), (at, target[max(0, at - 10) : at + 10])


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda lines: [lines[0], lines[1].replace("0.51", "0.50"), *lines[2:]], "entry 2 (signal signal-1, account"),
        (lambda lines: [lines[0], *lines[2:]], "entry 2 (signal signal-1, account account-2"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "entry 1 (signal signal-1, account account-1"),
        (lambda lines: lines[1:], "does not follow on the one before it"),
        (lambda lines: [*lines[:2], '{"torn', lines[3]], "entry 3 is no receipt any more"),
        (lambda lines: [*lines[:2], "", *lines[2:]], "entry 3 is no receipt any more"),
        (lambda lines: [*lines[:2], lines[2].replace('{"account"', '{"code":"x","account"'), lines[3]], "entry 3"),
        (lambda lines: [lines[0].replace("taken", "t\u00e4ken"), *lines[1:]], "entry 1"),
    ],
)  # fmt: skip
def test_the_script_names_the_first_broken_entry(damage: Any, says: str, tmp_path: Path) -> None:
    path = downloaded(tmp_path)
    path.write_text("\n".join(damage(path.read_text().splitlines())) + "\n", encoding="utf-8")
    code, said = verify(path)
    assert code == 1
    assert said.startswith("BROKEN: ")
    assert says in said


def test_a_chain_that_was_cut_or_written_anew_is_found_by_its_noted_head(tmp_path: Path) -> None:
    path = downloaded(tmp_path)
    lines = path.read_text().splitlines()
    noted = json.loads(lines[-1])["hash"]
    path.write_text("\n".join(lines[:-1]) + "\n", encoding="ascii")
    assert verify(path)[0] == 0  # what is left holds by itself
    code, said = verify(path, noted)
    assert (code, "cut off or written anew" in said) == (1, True)


def test_the_script_stays_short_and_needs_nothing() -> None:
    source = Path(str(verify_receipts.__file__)).read_text(encoding="ascii")
    assert len(source.splitlines()) < 60
    imported = [line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert set(imported) <= set(sys.stdlib_module_names)


def test_facts_that_are_not_what_was_written_are_refused() -> None:
    stored = Clerk(shared(), now=NOW).receipts([account()])[0].facts
    with pytest.raises(plain.StoredWrong):
        again(replace(stored, account=stored.account.replace('"quota_used":3', '"quota_used":"3"')))
    with pytest.raises(plain.StoredWrong):
        again(replace(stored, account=stored.account.replace('"quota_used":3,', "")))
