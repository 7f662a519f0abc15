"""`manage.py receipt`: one decision, with what every rule said and the numbers it used."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from risk_management.models import Receipt
from risk_management.services import receipts
from risk_management.services.receipts import Again


class Command(BaseCommand):
    """Show a receipt; with --again decide once more on the stored facts and say whether it is the same."""

    help = "Print one receipt with all its rules and numbers; change nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("receipt", type=UUID, metavar="ID")
        parser.add_argument("--json", action="store_true", help="one object instead of lines")
        parser.add_argument("--again", action="store_true", help="decide again on the stored facts and compare")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask, show; the exit code is 1 when deciding again gives something else."""
        found = receipts.find(options["receipt"])
        if found is None:
            raise CommandError(f"There is no receipt {options['receipt']}.")
        receipt, again = found
        if options["json"]:
            self.stdout.write(json.dumps(_object(receipt) | ({"again": _same(again)} if options["again"] else {})))
        else:
            for line in _lines(receipt):
                self.stdout.write(line.encode("ascii", "replace").decode())
            if options["again"]:
                self.stdout.write(_comparison(again))
        if options["again"] and (again is None or not again.is_same):
            raise SystemExit(1)


def _object(receipt: Receipt) -> dict[str, object]:
    return {
        "id": str(receipt.pk),
        "organization": str(receipt.organization_id),
        "position": receipt.position,
        "body": receipt.said,
        "previous": receipt.previous,
        "hash": receipt.hash,
    }


def _same(again: Again | None) -> dict[str, object]:
    if again is None:
        return {"is_identical": None, "is_same": None}
    return {"is_identical": again.is_identical, "is_same": again.is_same}


def _comparison(again: Again | None) -> str:
    if again is None:
        return "Decided again: the facts that its signal's accounts shared are not there."
    if again.is_identical:
        return "Decided again: identical, byte for byte."
    if again.is_same:
        return "Decided again: the same verdict on the same figures; the rules themselves have changed since."
    return f"Decided again: NOT the same. Now it would be {again.text}"


def _lines(receipt: Receipt) -> list[str]:
    said = receipt.said
    rules = said["rules"]
    width = max((len(name) for name, _word, _numbers in rules), default=0)
    lines = [
        f"Receipt {receipt.pk}, number {receipt.position} of organization {receipt.organization_id}",
        f"Signal {said['signal']} ({said['action']}), account {said['account']}, {said['at']}",
        "",
        f"{said['verdict'].upper()}  {said['code']}",
        said["sentence"],
        "",
        *(f"  {name:<{width}}  {word:<6}  {_numbers(numbers)}".rstrip() for name, word, numbers in rules),
    ]
    if said["not_asked"]:
        lines.append(f"  {said['not_asked']} more were not asked")
    versions = ", ".join(f"{name}: {version}" for name, version in sorted(said["versions"].items()))
    return [
        *lines,
        "",
        f"Decided by {versions}",
        f"Facts {said['facts']}",
        f"After {receipt.previous}",
        f"Hash  {receipt.hash}",
    ]


def _numbers(numbers: dict[str, Any]) -> str:
    return "  ".join(f"{name}={_text(value)}" for name, value in numbers.items())


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + "; ".join(map(_text, value)) + "]"
    return "none" if value is None else str(value)
