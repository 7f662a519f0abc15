"""A message that was read as something that it does not say, or that raised: what a rehearsal looks for."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One message that breaks a promise."""

    name: str
    kind: str
    why: str
    raw: bytes

    def as_json(self) -> str:
        """Write it on a line, with its bytes as they were read."""
        return json.dumps({"name": self.name, "kind": self.kind, "why": self.why, "hex": self.raw.hex()})
