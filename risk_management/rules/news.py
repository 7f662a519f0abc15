"""Windows around releases: the firm's for its program, and the customer's own."""

from __future__ import annotations

from datetime import timedelta

from mikrobot_platform.kernel.decisions import Code
from risk_management.compliance.program import NewsWindow, Program
from risk_management.rules.desk import Desk, Settings
from risk_management.rules.facts import Lacking, Missing, Release, known
from risk_management.rules.ruling import ALLOWED, Deny, Ruling

_OPENINGS = frozenset({"open", "open_minis"})


def news_quiet(case: Settings) -> Ruling:
    """Hold entries around releases that move the symbol, both ends of a window included."""
    releases, limits, program = known(case.desk.shared.releases), case.conditions, case.program
    if not releases:
        has_own = limits.news_before_min is not None or limits.news_after_min is not None
        if releases is None and (has_own or (program is not None and program.news)):
            raise Lacking(Missing("which news are due"))
        return ALLOWED
    if program is not None and program.news:
        found = case.desk.once((id(program), news_quiet), lambda: (_firms(case.desk, program),))[0]
        if found is not None:
            return Deny(Code.GATE_NEWS, {"release": found.name, "at": found.at, "whose": program.edition.firm})
    before, after = limits.news_before_min, limits.news_after_min
    if before is None and after is None:
        return ALLOWED
    found = case.desk.once((news_quiet, before, after), lambda: (_own(case.desk, before or 0, after or 0),))[0]
    return ALLOWED if found is None else Deny(Code.GATE_NEWS, {"release": found.name, "at": found.at, "whose": "your"})


def _own(desk: Desk, before_min: int, after_min: int) -> Release | None:
    before, after = timedelta(minutes=before_min), timedelta(minutes=after_min)
    for release in known(desk.shared.releases) or ():
        if desk.signal.symbol in release.moves and release.at - before <= desk.now <= release.at + after:
            return release
    return None


def _firms(desk: Desk, program: Program) -> Release | None:
    for window in program.news:
        if not _OPENINGS.isdisjoint(window.forbids):
            for release in known(desk.shared.releases) or ():
                if window.is_open(release.at, desk.now) and _is_meant(desk, window, release):
                    return release
    return None


def _is_meant(desk: Desk, window: NewsWindow, release: Release) -> bool:
    """Tell whether a window is about this release and this symbol; where only minis are named, micros go on."""
    contract = known(desk.shared.contract)
    if window.releases not in release.kinds:
        return False
    if contract is not None and contract.is_micro and "open" not in window.forbids:
        return False
    product = desk.signal.symbol if contract is None else contract.product
    return product in window.products if window.products else desk.signal.symbol in release.moves
