"""Organizations of a drill's own: written down before they exist, so that the next run clears up after a killed one."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError
from django.db.models import Manager

from accounts.closing import erasable
from accounts.models import Organization
from accounts.services.organizations import make_bare
from mikrobot_platform.db.ids import new_id
from trading.ledger import ledger_of

NAMES = "organizations.json"
TRIES = 10


@contextmanager
def folder(name: str, count: int) -> Iterator[tuple[Path, list[UUID]]]:
    """Give a drill a folder and the ids of its organizations to be; take both away in the end."""
    home = Path(settings.DATA_DIR) / "drills"
    for left in home.glob(f"*/{NAMES}"):
        if not _is_alive(int(left.parent.name.rpartition("-")[2])):
            _remove(left.parent)
    mine = home / f"{name}-{os.getpid()}"
    mine.mkdir(parents=True, mode=0o700)
    ids = [new_id() for _ in range(count)]
    (mine / NAMES).write_text(json.dumps([str(one) for one in ids]), encoding="ascii")
    try:
        yield mine, ids
    finally:
        _remove(mine)


def create(ids: list[UUID]) -> None:
    """Make the organizations: nobody belongs to them, so nobody sees them."""
    for organization_id in ids:
        make_bare(organization_id, "Drill")


def _remove(mine: Path) -> None:
    for text in json.loads((mine / NAMES).read_text(encoding="ascii")):
        for remaining in reversed(range(TRIES)):
            try:
                _erase(UUID(text))
                break
            except OperationalError:  # a worker is busy with what is being taken away, and each waits for the other
                if not remaining:
                    raise
                time.sleep(1)
    shutil.rmtree(mine)


def _erase(organization_id: UUID) -> None:
    with ledger_of(organization_id):  # the web's role may not delete there
        for model in erasable():
            rows: Manager[Any] = model._base_manager
            rows.filter(organization_id=organization_id).delete()
        Organization.objects.filter(pk=organization_id).delete()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
