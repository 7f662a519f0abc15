"""The ways in which a size is not found."""

from __future__ import annotations

from mikrobot_platform.kernel.decisions import Code, Decision, Refusal, Verdict, evidence


def refused(code: Code, **figures: object) -> Decision:
    """Refuse: something is wrong, or not known."""
    return Decision(verdict=Verdict.REFUSED, code=code, evidence=evidence(**figures))


def skipped(code: Code, **figures: object) -> Decision:
    """Skip: nothing is wrong, and there is no trade in it."""
    return Decision(verdict=Verdict.SKIPPED, code=code, evidence=evidence(**figures))


def missing(fact: str) -> Decision:
    """Refuse for want of a fact, by its name."""
    return refused(Code.SIZING_FACT_MISSING, fact=fact)


def denied(reason: Refusal) -> Decision:
    """Refuse for the reason that somebody else gave."""
    return Decision(verdict=Verdict.REFUSED, code=reason.code, evidence=reason.evidence)
