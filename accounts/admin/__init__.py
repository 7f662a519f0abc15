"""Staff pages, one file a noun; importing them puts them on the site (accounts/staff.py)."""

from accounts.admin import audit, exports, keys, organizations, outbox, people, trading_accounts

__all__ = ["audit", "exports", "keys", "organizations", "outbox", "people", "trading_accounts"]
