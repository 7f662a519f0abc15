"""The platform's own box, for secrets of people, who belong to no tenant: TOTP secrets, seeds of recovery codes.

Sealed by the master keys themselves; `manage.py rotate_keys --master` re-encrypts what is stored.
"""

from __future__ import annotations

from cryptography.fernet import InvalidToken

from accounts import key_providers


class Unreadable(Exception):
    """Raised when no master key opens a text: it was changed, or its key is gone."""


def platform_encrypt(text: str) -> str:
    return key_providers.master().encrypt(text.encode()).decode("ascii")


def platform_decrypt(text: str) -> str:
    """Open what `platform_encrypt` made; anything else, clear text included, is refused."""
    try:
        return key_providers.master().decrypt(text).decode()
    except InvalidToken:
        raise Unreadable("no master key opens this secret") from None
