"""The receipt of a decision: everything it said and the hash of everything it saw, as the same bytes on every machine.

Facts are stored as canonical JSON, what a signal's accounts share once per signal. Their hash covers both parts. With
the stored facts the decision can be made again, and gives the same receipt; receipts of an organization are chained, so
that whoever holds the chain can tell that none was changed (verify_receipts.py, which needs nothing of ours).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from json.encoder import encode_basestring_ascii as quoted_text
from typing import Any

from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.money import LOSSLESS, Within
from mikrobot_platform.kernel.undisturbed import Undisturbed
from risk_management.rules import VERSION, Ruled, gate
from risk_management.rules.facts import AccountFacts, Missing, Shared
from risk_management.rules.numbers import number_text, numbers_text
from risk_management.rules.ruling import written

GENESIS = "0" * 64  # what stands before the first receipt of a chain

_SHARED, _ACCOUNT = plain.codec(Shared), plain.codec(AccountFacts)
_BODY = (
    '{"account":%s,"action":%s,"at":%s,"code":"%s","evidence":%s,"facts":"%s","not_asked":%d,"organization":%s,'
    '"rules":[%s],"sentence":%s,"signal":%s,"verdict":"%s","versions":%s}'
)


@dataclass(frozen=True, slots=True)
class StoredFacts:
    """What a decision saw, as it is kept: canonical JSON, the part that is shared once per signal."""

    shared: str
    account: str
    at: datetime

    def sha256(self) -> str:
        """Hash all of it, the shared part by its own hash: that is worked out once for all accounts."""
        return _facts_hash(_sha256(self.shared), self.account, number_text(self.at))


@dataclass(frozen=True, slots=True)
class Receipt:
    """One decision, the facts it saw, and its receipt as canonical JSON."""

    ruled: Ruled
    facts: StoredFacts
    text: str

    def body(self) -> dict[str, Any]:
        """Return the receipt as plain values."""
        found: dict[str, Any] = json.loads(self.text)
        return found


class Clerk:
    """Decides on one signal and writes the receipts; what accounts share is decided, written and hashed once."""

    def __init__(self, shared: Shared, *, now: datetime, versions: Mapping[str, str] | None = None) -> None:
        self.gate = gate(shared, now=now)
        self._shared, self._now, self._at = _SHARED.write(shared), now, number_text(now)
        self._shared_hash = _sha256(self._shared)
        self._signal, self._action = number_text(shared.signal.id), number_text(shared.signal.action)
        self._versions = _versions(shared, versions or {})
        self._versions_by_program: dict[str | None, str] = {}

    def receipts(self, accounts: Iterable[AccountFacts]) -> list[Receipt]:
        """Decide for accounts, and write a receipt for each."""
        decide = self.gate.decide_in_batch
        with Undisturbed(), Within(LOSSLESS):
            return [self.receipt(decide(account), account) for account in accounts]

    def receipt(self, ruled: Ruled, account: AccountFacts) -> Receipt:
        """Write the receipt of a decision that was made on these facts."""
        facts, figures = _ACCOUNT.write(account), ruled.figures()
        answers = [ruling.text or written(ruling) for ruling in ruled.answers]
        text = _BODY % (
            quoted_text(account.account), self._action, self._at, ruled.code.value, numbers_text(figures),
            _facts_hash(self._shared_hash, facts, self._at), ruled.not_asked, quoted_text(account.organization),
            ruled.plan.text(answers, len(ruled.plan.names) - ruled.not_asked),
            quoted_text(ruled.sentence_with(figures)), self._signal, ruled.verdict.value, self._versions_of(account),
        )  # fmt: skip
        return Receipt(ruled, StoredFacts(self._shared, facts, self._now), text)

    def _versions_of(self, account: AccountFacts) -> str:
        """Name the versions of everything that decided; the program is the account's own."""
        firm, programs = account.firm, self.gate.desk.shared.programs
        key = None if firm is None or isinstance(firm, Missing) or isinstance(firm.program, Missing) else firm.program
        if key not in self._versions_by_program:
            program = None if key is None or isinstance(programs, Missing) else programs.get(key)
            named = {} if program is None else {"program": f"{program.title}, version {program.edition.version}"}
            self._versions_by_program[key] = plain.canonical(self._versions | named)
        return self._versions_by_program[key]


def body(
    ruled: Ruled, shared: Shared, account: AccountFacts, *, now: datetime, versions: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the receipt of one decision as plain values."""
    return Clerk(shared, now=now, versions=versions).receipt(ruled, account).body()


def again(stored: StoredFacts, *, versions: Mapping[str, str] | None = None) -> Receipt:
    """Decide once more on the facts that were stored; the receipt is the same, byte for byte."""
    shared, account = plain.read(Shared, stored.shared), plain.read(AccountFacts, stored.account)
    return Clerk(shared, now=stored.at, versions=versions).receipts([account])[0]


def chain(previous: str, text: str) -> str:
    """Return the hash of a receipt that follows on another: of the hash before it, a line end, and its body."""
    return _sha256(f"{previous}\n{text}")


def entry(previous: str, text: str) -> str:
    """Write one line of the file that a customer downloads, for verify_receipts.py."""
    return f'{{"body":{text},"hash":"{chain(previous, text)}","previous":"{previous}"}}'


def _versions(shared: Shared, more: Mapping[str, str]) -> dict[str, str]:
    strategy = shared.strategy
    named = "not known" if isinstance(strategy, Missing) else f"{strategy.name}, version {strategy.version}"
    return {**more, "gate": VERSION, "strategy": named}


def _facts_hash(shared_hash: str, account: str, at: str) -> str:
    return _sha256(f'{{"account":{account},"at":{at},"shared":"{shared_hash}"}}')


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()
