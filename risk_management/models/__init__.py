"""What the gate keeps: receipts and the facts behind them. One file a noun; this page is the index."""

from risk_management.models.receipts import Receipt, ReceiptChain, SharedFacts

__all__ = [
    "Receipt",
    "ReceiptChain",
    "SharedFacts",
]
