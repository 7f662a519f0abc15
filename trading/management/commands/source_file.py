"""`manage.py source_file`: sources that read a file on this server's disk; no page and no API makes one."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models.audit import PLATFORM_ID
from trading.services import files
from trading.services.files import FileLine, FileSourceRefused


class Command(BaseCommand):
    """Add, list and remove them."""

    help = "Add, list or remove the sources that read an EA's file below SIGNAL_FILES_DIR."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        add = verbs.add_parser("add", help="let a source read a file")
        add.add_argument("name")
        add.add_argument("--path", required=True, metavar="REL", help="the file, below SIGNAL_FILES_DIR")
        owner = add.add_mutually_exclusive_group(required=True)
        owner.add_argument("--organization", type=UUID, metavar="ID", help="whose signals these are")
        owner.add_argument("--platform", action="store_true", help="the platform's own: everybody may follow them")
        add.add_argument("--zone", default="", help="the broker's time zone; without one it is learnt")
        add.add_argument("--shift", type=int, default=0, metavar="S", help="seconds by which it is ahead of the zone")
        add.add_argument("--answers", action="store_true", help="write what became of its messages beside the file")
        listing = verbs.add_parser("list", help="list them, with how each file stands")
        listing.add_argument("--json", action="store_true", help="one object instead of lines")
        remove = verbs.add_parser("remove", help="take one away; its messages stay in the ledger")
        remove.add_argument("id", type=UUID)

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask the service; say what it said."""
        try:
            getattr(self, f"_{options['verb']}")(options)
        except FileSourceRefused as refused:
            raise CommandError(str(refused)) from None

    def _add(self, options: dict[str, Any]) -> None:
        made = files.add(
            options["name"],
            options["path"],
            organization_id=PLATFORM_ID if options["platform"] else options["organization"],
            zone=options["zone"],
            shift_s=options["shift"],
            answers=options["answers"],
        )
        self.stdout.write(f"{made.pk}  {_ascii(made.name)} reads {_ascii(made.path)}")

    def _list(self, options: dict[str, Any]) -> None:
        lines = files.overview()
        if options["json"]:
            self.stdout.write(json.dumps({"sources": [_line(line) for line in lines]}))
            return
        for line in lines:
            self.stdout.write(_text(line))
        self.stdout.write(f"{len(lines)} sources")

    def _remove(self, options: dict[str, Any]) -> None:
        gone = files.remove(options["id"])
        self.stdout.write(f"{gone.pk}  {_ascii(gone.name)} is removed")


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def _text(line: FileLine) -> str:
    source, file = line.source, line.file
    owner = "the platform" if source.is_of_platform else str(source.organization_id)
    state = "switched off" if not source.is_enabled else "not looked at yet" if file is None else file.sentence or "ok"
    missed = f"{line.missed} missed" if file else ""
    return _ascii(f"{source.pk}  {source.name:<24} {owner:<36} {source.path:<40} {missed:<12} {state}").rstrip()


def _line(line: FileLine) -> dict[str, object]:
    source, file = line.source, line.file
    return {
        "id": str(source.pk),
        "name": source.name,
        "organization_id": None if source.is_of_platform else str(source.organization_id),
        "path": source.path,
        "is_enabled": source.is_enabled,
        "answers": source.answers,
        "file": file
        and {
            "missed": line.missed,
            "read_by": file.read_by,
            "bytes": file.size,
            "kept_at": file.kept_at and file.kept_at.isoformat(),
            "seen_at": file.seen_at and file.seen_at.isoformat(),
            "looked_at": file.looked_at and file.looked_at.isoformat(),
            "code": file.code,
            "sentence": file.sentence,
        },
    }
