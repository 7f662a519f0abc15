"""What goes wrong on somebody's machine, said in two sentences."""

from __future__ import annotations


class Problem(Exception):
    """Carry a readable reason and its remedy up to the command, which prints both and exits with 1."""

    def __init__(self, reason: str, remedy: str, details: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.details = details

    def __str__(self) -> str:
        parts = [self.reason, self.remedy]
        if self.details:
            indented = "\n".join(f"    {line}" for line in self.details.strip().splitlines())
            parts.insert(1, indented)
        return "\n".join(part for part in parts if part)
