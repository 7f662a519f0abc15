"""What a rule can say: go on, go on smaller, go on as advice, or stop. Each with the numbers that it used."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from mikrobot_platform.kernel.decisions import Code, Verdict

# Numbers stay what they are (Decimal, int, text, a time); they become text when a receipt is written, and only then.
Numbers = Mapping[str, object]
NOTHING: Numbers = MappingProxyType({})


class Allow(NamedTuple):
    """Nothing is against it."""

    numbers: Numbers = NOTHING


class Reduce(NamedTuple):
    """At most so much; `bound` says in words what binds."""

    quantity: Decimal
    bound: str
    numbers: Numbers = NOTHING


class Advise(NamedTuple):
    """It goes on to be shown, and no order may come of it."""

    code: Code
    numbers: Numbers = NOTHING


class Deny(NamedTuple):
    """It ends here."""

    code: Code
    numbers: Numbers = NOTHING
    verdict: Verdict = Verdict.REFUSED


Ruling = Allow | Reduce | Advise | Deny
ALLOWED = Allow()
WORDS: Mapping[type, str] = MappingProxyType({Allow: "allow", Reduce: "reduce", Advise: "advise", Deny: "deny"})


def skip(code: Code, numbers: Numbers = NOTHING) -> Deny:
    """End it without a fault of anybody: it is not wanted, or not now."""
    return Deny(code, numbers, Verdict.SKIPPED)
