"""What the gate keeps: receipts with the facts behind them, quotas. One file a noun; this page is the index."""

from risk_management.models.quota import DailyQuota, QuotaClaim
from risk_management.models.receipts import Receipt, ReceiptChain, SharedFacts

__all__ = [
    "DailyQuota",
    "QuotaClaim",
    "Receipt",
    "ReceiptChain",
    "SharedFacts",
]
