"""Deeds and questions that stand outside the story, one file a noun."""

from trading.services.ledger import LedgerLine, ledger, timeline

__all__ = ["LedgerLine", "ledger", "timeline"]
