"""No fact, no trade: from a complete set that is taken, the loss of any single fact denies and names it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_args, get_type_hints

import pytest

from mikrobot_platform.kernel.decisions import Code, Verdict
from mikrobot_platform.kernel.market import Quantity, Side
from risk_management.rules import decide
from risk_management.rules import facts as facts_module
from risk_management.rules.facts import AccountFacts, Missing, Shared, Sibling
from risk_management.rules.receipt import Clerk, again
from risk_management.tests.gate_facts import NOW, account, d, holding, micro, own, program_of, shared, state_of

# Each is complete in another way: under a program, on its own, in a future, with everything open that can be open.
SETS: dict[str, tuple[Shared, AccountFacts]] = {
    "under a program": (
        shared(strategy__max_positions=5),
        account(
            orders=(holding(floating=d(0)),),
            siblings=(Sibling(account="account-2", side=Side.BUY, quantity=Quantity(d(1))),),
        ),
    ),
    "of no firm": (shared(strategy__max_positions=5), own()),
    "in a future": (micro(strategy__max_positions=5), own()),
}

# What is asked, and the rows it is asked about: without these there is no question.
THE_QUESTION = {
    "signal", "signal.id", "signal.action", "signal.symbol", "account", "organization", "currency",
}  # fmt: skip

Path = tuple[str | int, ...]


def walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, bool]]:
    """Give every place of a set of facts, and whether what stands there may be missing."""
    hints = get_type_hints(type(value))
    for field in fields(value):
        here, inner = (*path, field.name), getattr(value, field.name)
        yield here, Missing in get_args(hints[field.name])
        for at, part in [(here, inner)] if not isinstance(inner, tuple) else [((*here, 0), p) for p in inner[:1]]:
            if is_dataclass(part) and type(part).__module__ == facts_module.__name__:
                yield from walk(part, at)


def without(value: Any, path: Path, lost: Missing) -> Any:
    """Return the facts with one of them lost."""
    if not path:
        return lost
    first, rest = path[0], path[1:]
    if isinstance(first, int):
        return tuple(without(part, rest, lost) if at == first else part for at, part in enumerate(value))
    return replace(value, **{first: without(getattr(value, first), rest, lost)})


def losses() -> Iterator[Any]:
    for name, (of_signal, of_account) in SETS.items():
        for which, whole in (("shared", of_signal), ("account", of_account)):
            for path, may_be_missing in walk(whole):
                if may_be_missing:
                    yield pytest.param(name, which, path, id=f"{name}: {'.'.join(map(str, path))}")


@pytest.mark.parametrize("name", SETS)
def test_the_sets_are_complete(name: str) -> None:
    ruled = decide(*SETS[name], now=NOW)
    assert ruled.verdict is Verdict.TAKEN, ruled.sentence()


@pytest.mark.parametrize(("name", "which", "path"), list(losses()))
def test_the_loss_of_a_fact_denies_and_names_it(name: str, which: str, path: Path) -> None:
    lost = Missing(f"what stands at {'.'.join(map(str, path))}")
    of_signal, of_account = SETS[name]
    if which == "shared":
        of_signal = without(of_signal, path, lost)
    else:
        of_account = without(of_account, path, lost)
    ruled = decide(of_signal, of_account, now=NOW)
    assert (ruled.verdict, ruled.code) == (Verdict.REFUSED, Code.GATE_FACT_MISSING)
    assert ruled.decision().sentence == f"Not traded: {lost.fact} is not known."
    receipt = Clerk(of_signal, now=NOW).receipts([of_account])[0]
    assert again(receipt.facts).text == receipt.text  # what was missing is missing again


def test_whatever_is_a_fact_may_be_missing() -> None:
    """A field that cannot be missing is part of the question, or of a thing that is told as a whole."""
    told_as_a_whole = {"quote", "entitlement", "terms", "siblings"}
    for whole in SETS["under a program"]:
        for path, may_be_missing in walk(whole):
            name = ".".join(map(str, path))
            is_part = path[0] in told_as_a_whole and len(path) > 1
            is_part |= path[0] in ("positions", "orders") and path[-1] in (
                "symbol", "side", "quantity", "stop", "contract",
            )  # fmt: skip
            assert may_be_missing or is_part or name in THE_QUESTION, name
    walked = [path for whole in SETS["under a program"] for path, may in walk(whole) if may]
    assert len(walked) > 50  # the walk has not stopped at the door


def test_a_program_that_is_named_and_not_there_is_a_missing_fact() -> None:
    ruled = decide(shared(programs={}), account(), now=NOW)
    assert ruled.decision().sentence == "Not traded: the program FTMO 2-Step challenge 100000 is not known."


def test_a_floor_that_nobody_can_tell_is_a_missing_fact() -> None:
    program = program_of("FTMO 2-Step challenge 100000")
    unseen = replace(state_of(program), day_start=None)
    ruled = decide(shared(), account(firm__state=unseen), now=NOW)
    assert ruled.decision().sentence == "Not traded: where the firm's daily loss stands is not known."


def test_results_of_another_day_are_none_of_this_one() -> None:
    ruled = decide(shared(), account(zone="Pacific/Auckland"), now=NOW)  # it is the 21st there
    assert ruled.decision().sentence == "Not traded: the result of this day is not known."
