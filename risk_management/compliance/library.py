"""All programs that are known, picked by firm, program, phase, size, variant and date.

Programs come in as texts. `bundled` is the one place that reads our own files, and only when it is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from importlib import resources
from itertools import combinations

from mikrobot_platform.kernel.decisions import Code
from risk_management.compliance.notices import Notice, notice, stale
from risk_management.compliance.parser import STANDARD, parse
from risk_management.compliance.program import Edition, Phase, Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a customer says of an account: which firm, which program, where on its way, and what was switched on."""

    firm: str
    program: str
    phase: Phase
    size: Decimal
    variant: str = STANDARD
    opened: date | None = None  # None: the customer has not said, and every version is for the account
    has_optional_daily_loss: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The program of an account, or none; and what staff and the customer should know."""

    program: Program | None
    notices: tuple[Notice, ...]


class Overlap(ValueError):
    """Raised when two versions of one program claim the same day."""


@dataclass(frozen=True, slots=True)
class Library:
    """Programs that may be looked up."""

    programs: tuple[Program, ...]

    def find(self, choice: Choice, *, on: date) -> Found:
        """Pick the one version that holds for an account on a day; say why when there is none."""
        of_firm = [program for program in self.programs if _same(program.edition.firm, choice.firm)]
        if not of_firm:
            return _nothing(choice, notice(Code.PROGRAM_FIRM_UNKNOWN, firm=choice.firm))
        alike = [program for program in of_firm if _is_meant(program, choice)]
        valid = [program for program in alike if program.edition.holds_on(on)]
        if choice.opened is not None:
            valid = [program for program in valid if program.edition.is_for_account_opened(choice.opened)]
        if not valid:
            return _nothing(choice, *(_not_valid(program.edition, choice, on) for program in alike))
        program = valid[0]
        if choice.has_optional_daily_loss and program.daily_loss is None:
            program = replace(program, daily_loss=program.optional_daily_loss)
        return Found(program=program, notices=stale(program, today=on))


def load(texts: Mapping[str, str | bytes]) -> Library:
    """Read programs from the texts of their files; a wrong text is named by its file."""
    files: list[tuple[Program, ...]] = []
    for name, text in texts.items():
        try:
            files.append(parse(text if isinstance(text, str) else text.decode("utf-8")))
        except ValueError as wrong:
            wrong.add_note(name)
            raise
    for one, other in combinations([programs[0].edition for programs in files], 2):
        if _same(one.firm, other.firm) and _same(one.program, other.program) and _overlap(one, other):
            raise Overlap(f"{one.firm} {one.program}: versions {one.version} and {other.version} hold on the same day")
    return Library(tuple(program for programs in files for program in programs))


def bundled() -> Mapping[str, bytes]:
    """Read the program files that come with the platform."""
    shelf = resources.files(__package__) / "programs"
    files = sorted(shelf.iterdir(), key=lambda file: file.name)
    return {file.name: file.read_bytes() for file in files if file.name.endswith(".json")}


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.strip().casefold()


def _is_meant(program: Program, choice: Choice) -> bool:
    return (
        _same(program.edition.program, choice.program)
        and program.phase is choice.phase
        and program.size == choice.size
        and _same(program.variant, choice.variant)
    )


def _nothing(choice: Choice, *notices: Notice) -> Found:
    name = f"{choice.firm} {choice.program}, {choice.phase}, {choice.size:f}, {choice.variant}"
    return Found(program=None, notices=(*notices, notice(Code.PROGRAM_UNKNOWN, program=name)))


def _not_valid(edition: Edition, choice: Choice, on: date) -> Notice:
    if on < edition.valid_from:
        reason = f"they are known from {edition.valid_from} on"
    elif not edition.holds_on(on):
        reason = f"they ended with {edition.valid_until}"
    elif edition.opened_from is not None and (choice.opened is None or choice.opened < edition.opened_from):
        reason = f"they are for accounts opened from {edition.opened_from} on"
    else:
        reason = f"they are for accounts opened before {edition.opened_before}"
    name = f"{edition.firm} {edition.program}, version {edition.version}"
    return notice(Code.PROGRAM_NOT_VALID, program=name, day=on.isoformat(), reason=reason)


def _overlap(one: Edition, other: Edition) -> bool:
    later = max(one.valid_from, other.valid_from)
    return one.holds_on(later) and other.holds_on(later)
