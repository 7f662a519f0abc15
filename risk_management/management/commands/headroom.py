"""`manage.py headroom`: what every limit of an account leaves, in money, in percent and until it begins anew."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from risk_management import limits as words
from risk_management.services import states
from risk_management.services.states import Headroom


class Command(BaseCommand):
    """Show the room under each limit; what is not known says so."""

    help = "Print what every limit of an account leaves; change nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("account", type=UUID, metavar="ACCOUNT")
        parser.add_argument("--json", action="store_true", help="one object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask, show."""
        now = timezone.now()
        found = states.find_room(options["account"], now=now)
        if found is None:
            raise CommandError(f"There is no account {options['account']}.")
        lines = list(_lines(found, now))
        if options["json"]:
            self.stdout.write(json.dumps(_object(found, lines)))
            return
        self.stdout.write(f"Account {found.account_id}, {found.program or 'no firm whose program is known'}")
        seen = "never seen" if found.seen_at is None else f"seen {found.seen_at:%Y-%m-%d %H:%M:%S} UTC"
        self.stdout.write(f"Balance {_money(found.balance)}, equity {_money(found.equity)} {found.currency}, {seen}")
        for line in lines:
            self.stdout.write(_text(line, found.currency))
        if not lines:
            self.stdout.write("No limit is known, or the account was never seen.")
        record = found.record
        won = "not enough data" if record.win_percent is None else f"{record.win_percent} % won"
        self.stdout.write(f"Settled trades of late: {won} (n = {record.n})")


def _lines(found: Headroom, now: datetime) -> list[dict[str, Any]]:
    firm = [
        {"limit": room.limit.value, "whose": "firm", "level": room.level, "room": room.room, "left_pct": room.left_pct,
         "resets_at": room.resets_at, "is_broken": room.is_broken}
        for room in found.firm
    ]  # fmt: skip
    own = [
        {"limit": room.limit, "whose": "own", "level": room.level, "room": room.room,
         "left_pct": (room.room * 100 / room.allowance).quantize(Decimal("0.01")),
         "resets_at": room.period.ends if room.period else None, "is_broken": room.room <= 0}
        for room in found.own
    ]  # fmt: skip
    return [
        {**line, "resets_in": line["resets_at"] - now if isinstance(line["resets_at"], datetime) else None}
        for line in firm + own
    ]


def _object(found: Headroom, lines: list[dict[str, Any]]) -> dict[str, object]:
    return {
        "account": str(found.account_id),
        "currency": found.currency,
        "program": found.program or None,
        "seen_at": _plain(found.seen_at),
        "balance": _plain(found.balance),
        "equity": _plain(found.equity),
        "trades": {"n": found.record.n, "win_percent": _plain(found.record.win_percent)},
        "limits": [{name: _plain(value) for name, value in line.items()} for line in lines],
    }


def _plain(value: object) -> object:
    match value:
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.isoformat()
        case timedelta():
            return int(value.total_seconds())
        case _:
            return value


def _text(line: dict[str, Any], currency: str) -> str:
    whose = "the firm's" if line["whose"] == "firm" else "your own"
    left = "not known" if line["room"] is None else f"{_money(line['room'])} {currency} ({line['left_pct']} %)"
    reset = "" if line["resets_in"] is None else f", anew in {line['resets_in'] // timedelta(minutes=1)} min"
    broken = "  BROKEN" if line["is_broken"] else ""
    return f"  {words.words(line['limit']):<22} {whose:<11} {left}{reset}{broken}"


def _money(amount: Decimal | None) -> str:
    return "not known" if amount is None else f"{amount:,.2f}"
