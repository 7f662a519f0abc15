"""Verify a downloaded chain of receipts: python -I verify_receipts.py RECEIPTS.jsonl [LAST_HASH]

Every line holds a receipt (body), the hash before it (previous) and its own (hash), which is the SHA-256 of the hash
before it, a line end and the body: JSON with sorted keys, no spaces, ASCII only. The first line follows on 64 zeros.
With LAST_HASH, as it was noted at another time, a chain that was cut or written anew is found as well. Nothing but
Python is needed, and nobody is asked.
"""

import hashlib
import json
import sys
from pathlib import Path


def strict(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse an object that names a key twice: programs would disagree on what it says."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands in it twice")
    return found


def broken(lines: list[str]) -> tuple[str, str]:
    """Return what is wrong with the first entry that does not hold, and the last hash that does."""
    last = "0" * 64
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line, object_pairs_hook=strict)
            body, previous, told = entry["body"], entry["previous"], entry["hash"]
            text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
            named = f"entry {number} (signal {body['signal']}, account {body['account']}, {body['at']})"
        except (ValueError, KeyError, TypeError) as error:
            return f"entry {number} is no receipt any more: {error}", last
        if previous != last:
            return f"{named} does not follow on the one before it: one is missing, added or moved", last
        if hashlib.sha256(f"{last}\n{text}".encode()).hexdigest() != told:
            return f"{named} was changed after it was written", last
        last = told
    return "", last


def main(arguments: list[str]) -> int:
    """Say whether the chain holds; the exit code is 0 only if it does."""
    if len(arguments) not in (1, 2):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    lines = Path(arguments[0]).read_text(encoding="ascii", errors="replace").splitlines()
    fault, last = broken(lines)
    if not fault and len(arguments) == 2 and arguments[1] != last:
        fault = f"the chain ends with {last}, and not with {arguments[1]}: its end was cut off or written anew"
    sys.stdout.write(f"BROKEN: {fault}\n" if fault else f"{len(lines)} receipts hold. The last hash is {last}\n")
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
