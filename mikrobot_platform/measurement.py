"""What a bench or a drill answers: one object that says what was measured, where and on which commit."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

Number = int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The figures of one run."""

    name: str
    parameters: Mapping[str, Number]
    results: Mapping[str, Number]
    lists: Mapping[str, Any] = field(default_factory=dict)  # results that are more than one number, by their names

    def as_json(self) -> str:
        """Write the object that programs read."""
        return json.dumps(
            {
                "name": self.name, "commit": commit(), "machine": machine(), "parameters": dict(self.parameters),
                "results": {**self.results, **self.lists},
            }
        )  # fmt: skip

    def as_text(self) -> str:
        """Write the lines that people read."""
        width = max(len(key) for key in self.results)
        return "\n".join(f"{key:<{width}}  {value:>12,}" for key, value in self.results.items())


def commit() -> str:
    """Name the commit of this checkout, with a mark when files differ from it; empty where there is no git."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=ROOT, capture_output=True, text=True, timeout=10, check=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""


def machine() -> str:
    """Describe the machine in a line, without its name."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB,"
        f" Python {platform.python_version()}"
    )


def say(line: str) -> None:
    """Tell people how far it is; programs read standard output only."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
