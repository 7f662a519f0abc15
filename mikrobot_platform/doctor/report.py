"""Shows the doctor's findings: a line each for people, one object for programs. ASCII, because it ends in logs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Protocol

from mikrobot_platform.doctor import Finding, State


class Out(Protocol):
    """Something to write to: standard output, or what a command was given instead."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...


WORDS = {State.OK: "ok", State.WARN: "WARN", State.FAIL: "FAIL"}


def show(findings: Iterable[tuple[str, Finding]], out: Out, *, as_json: bool) -> bool:
    """Write the findings, for people as they come; return whether nothing failed."""
    seen = []
    for name, found in findings:
        seen.append((name, found))
        if found.is_made and not as_json:
            out.write(_ascii(f"{WORDS[found.state]:<6}{name:<18}{found.sentence}\n"))
            if found.remedy and found.state is not State.OK:
                out.write(_ascii(f"{'':<24}-> {found.remedy}\n"))
            out.flush()
    failed = [name for name, found in seen if found.state is State.FAIL and found.is_made]
    unmade = [name for name, found in seen if not found.is_made]
    if as_json:
        checks = [
            {"name": name, "state": found.state.value, "sentence": found.sentence, "remedy": found.remedy}
            for name, found in seen
        ]
        out.write(json.dumps({"ok": not failed, "checks": checks}, ensure_ascii=True) + "\n")
    elif failed:
        if unmade:
            out.write(f"\nNot checked for that reason: {', '.join(unmade)}.\n")
        out.write(f"\n{len(failed)} of {len(seen)} checks failed: {', '.join(failed)}.\n")
    else:
        out.write(f"\nAll {len(seen)} checks passed.\n")
    return not failed


def _ascii(line: str) -> str:
    return line.encode("ascii", "backslashreplace").decode()
