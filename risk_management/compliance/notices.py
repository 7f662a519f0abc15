"""Something that staff and the customer should know about a program, although it decides nothing by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from mikrobot_platform.kernel.decisions import Code, Evidence, evidence, sentence
from risk_management.compliance.program import Program

FRESH_DAYS = 30  # firms change their rules several times a year; a record older than this warns


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A code, its figures and its sentence."""

    code: Code
    evidence: Evidence

    @property
    def sentence(self) -> str:
        """Say it to a person."""
        return sentence(self.code, self.evidence)


def notice(code: Code, **values: object) -> Notice:
    """Make a notice; one whose sentence lacks a figure is a fault of ours and raises KeyError."""
    made = Notice(code=code, evidence=evidence(**values))
    made.sentence  # noqa: B018  # said once, so that a missing figure is found where it is missing
    return made


def stale(program: Program, *, today: date) -> tuple[Notice, ...]:
    """Warn of a record that nobody has verified for more than 30 days."""
    age = (today - program.edition.verified).days
    if age <= FRESH_DAYS:
        return ()
    verified = program.edition.verified.isoformat()
    return (notice(Code.PROGRAM_STALE, program=program.title, verified=verified, age_days=age),)
