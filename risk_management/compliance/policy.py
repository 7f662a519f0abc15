"""Whether orders may be sent for an account at all, or only advice given: the firm decides, never the customer.

Advice shows the decision, the size and the room, and sends nothing. There is no argument by which somebody could ask
for more than the firm allows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from mikrobot_platform.kernel.decisions import Code
from risk_management.compliance.notices import Notice, notice, stale
from risk_management.compliance.program import Axis, Confidence, Permission, Program

# What this platform does whenever it sends an order: it is automatic, and it runs on a server.
ALWAYS = (Axis.OWN_AUTOMATION, Axis.REMOTE_EXECUTION)


class Mode(StrEnum):
    """What may be done for an account."""

    FULL = "full"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stance:
    """What may be done for an account, the firm's rules that decide it, and what should be known besides."""

    mode: Mode
    reasons: tuple[Notice, ...]
    warnings: tuple[Notice, ...]

    @property
    def sends_orders(self) -> bool:
        """Tell whether an order may leave for this account."""
        return self.mode is Mode.FULL


def stance(program: Program | None, *, today: date, uses: Collection[Axis] = (Axis.THIRD_PARTY_SIGNALS,)) -> Stance:
    """Take the firm's side: advice only, unless it is known to allow everything that an order here needs.

    `uses` adds to what every order needs, and can take nothing away. A signal counts as somebody else's unless the
    caller knows that the strategy is the customer's own; copying and opposite positions are added where they happen.
    """
    if program is None:
        reason = notice(Code.PROGRAM_UNKNOWN, program="of this account")
        return Stance(mode=Mode.ADVICE, reasons=(reason,), warnings=())
    needed = [axis for axis in Axis if axis in ALWAYS or axis in uses]
    reasons = tuple(_refusals(program, needed))
    warnings = stale(program, today=today)
    if reasons:
        return Stance(mode=Mode.ADVICE, reasons=reasons, warnings=warnings)
    allowed = notice(
        Code.PROGRAM_ALLOWS, program=program.title, axes=tuple(needed), version=program.edition.version
    )  # fmt: skip
    return Stance(mode=Mode.FULL, reasons=(allowed,), warnings=(*warnings, *_doubts(program, needed)))


def _refusals(program: Program, needed: Collection[Axis]) -> Iterator[Notice]:
    for axis in needed:
        permission = program.policy[axis].permission
        if permission is not Permission.ALLOWED:
            yield _rule(
                Code.PROGRAM_FORBIDS if permission is Permission.FORBIDDEN else Code.PROGRAM_SILENT, program, axis
            )


def _doubts(program: Program, needed: Collection[Axis]) -> Iterator[Notice]:
    for axis in needed:
        if program.policy[axis].confidence is not Confidence.HIGH:
            yield _rule(Code.PROGRAM_UNSURE, program, axis)


def _rule(code: Code, program: Program, axis: Axis) -> Notice:
    """Name the firm's rule with its date and source, as it is shown and kept in receipts."""
    said = program.policy[axis]
    return notice(
        code,
        program=program.title,
        axis=axis.replace("_", " "),
        rule=said.sentence,
        verified=said.verified.isoformat(),
        source=said.source,
        version=program.edition.version,
    )
