"""Exchanges keys while the service runs: master keys under everything, data keys under an organization's secrets.

Every step commits by itself, may be interrupted at any instruction, and goes on where it was when it is run again. No
value is ever read: wrapped keys and sealed texts are re-encrypted as they are, so none of this is a reveal.

How nothing is lost and nobody is stopped:
1. A new key comes first and the older ones stay, so what was sealed before, or is being sealed now, still opens.
2. Passes re-encrypt what is not yet under the current key, in short transactions that skip rows somebody else holds.
3. A data key is deleted under a lock that waits for writers who have just sealed with it (data_keys.current_key), and
   only when no text of its version is left. A master key goes when a pass that began after all older writers had ended
   found nothing under it.
"""

from __future__ import annotations

from collections.abc import Callable

# The system scope in which organizations and their keys are found (accounts/tenancy.py).
SCOPE = "vault.rotate"
BATCH = 200

Say = Callable[[str], None]


class Unfinished(RuntimeError):
    """Raised when a rotation cannot go on now; running it again later is safe."""
