"""A short-lived process of `up`: everything before the first request that needs Django or the database driver.

It imports Django while the servers are still starting, waits for its orders, reports what it does, and
ends, so that the supervisor stays small. `python -m mikrobot_platform.local.preparation ORDERS REPORTS`, where both
are descriptors."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from mikrobot_platform.local.paths import Data, write_private
from mikrobot_platform.local.problem import Problem

ROOT = Path(__file__).resolve().parent.parent.parent


def main(orders: int, reports: int) -> int:
    """Do the steps in order; the supervisor reads one JSON line at the beginning and one at the end of each.

    After a failure it waits until the supervisor has read of it, so that it is never taken for a crash."""
    with os.fdopen(orders, encoding="utf-8") as listen, os.fdopen(reports, "w", encoding="utf-8", buffering=1) as tell:
        try:
            set_up_django()
            order = json.loads(listen.readline() or "null")
            if order is None:  # the supervisor gave up
                return 1
            for name, step in plan(order):
                say(tell, begin=name)
                say(tell, end=step())
        except Exception as error:  # the border: the supervisor shows what is said here
            problem = as_problem(error)
            say(tell, reason=problem.reason, remedy=problem.remedy, details=problem.details)
            listen.read()
            return 1
    return 0


def as_problem(error: Exception) -> Problem:
    """Give a readable failure as it is, and any other one its name and the place of its story."""
    if isinstance(error, Problem):
        return error
    traceback.print_exc()
    log = "The whole story is in logs/preparation.log of the data directory."
    return Problem(f"{error.__class__.__name__}: {error}".strip(), log)


def say(tell: TextIO, **words: str) -> None:
    """Write one line for the supervisor."""
    tell.write(json.dumps(words) + "\n")


def plan(order: dict[str, object]) -> Iterator[tuple[str, Callable[[], str]]]:
    """List the steps that the order and this version call for."""
    from django.core.management import get_commands

    data = Data(root=Path(str(order["data"])))
    if order["admin"]:
        yield "database roles", lambda: make_roles(order)
    yield "migrations", migrate
    yield "static files", lambda: collect_static(data)
    if order["demo"] and "demo" in get_commands():
        yield "demo world", demo


def set_up_django() -> None:
    """Import all applications; nothing is asked of a database yet."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mikrobot_platform.settings")
    django.setup()


def make_roles(order: dict[str, object]) -> str:
    """Create roles and database with the administrator's address, which no other process ever sees."""
    from mikrobot_platform.local import addresses, roles

    app, engine, owner = (os.environ[f"DATABASE_{name}URL"] for name in ("", "ENGINE_", "OWNER_"))
    roles.ensure(str(order["admin"]), addresses.Plan.from_urls(app=app, engine=engine, owner=owner))
    if order["is_ours"]:
        roles.close_to_public(str(order["admin"]))
    return ""


def migrate() -> str:
    """Apply what is not applied, as the owner; looking is quicker than letting the command look."""
    from django.core.management import call_command
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    connection = connections["owner"]
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if missing:
            call_command("migrate", database="owner", interactive=False, verbosity=1)
    finally:
        connection.close()
    return f"{len(missing)} applied" if missing else "nothing to apply"


def collect_static(data: Data) -> str:
    """Collect files for the browser when one of them, or a package that brings some, has changed."""
    from django.core.management import call_command

    stamp = data.root / "static-stamp"
    wanted = static_fingerprint()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted and data.static.is_dir():
        return "unchanged"
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    write_private(stamp, wanted)
    return ""


def static_fingerprint() -> str:
    """Sum up names, sizes and times of our own files, and the lock for everybody else's."""
    lines = [hashlib.sha256((ROOT / "requirements.txt").read_bytes()).hexdigest()]
    for folder in sorted(ROOT.glob("[!.]*/static")):
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                facts = file.stat()
                lines.append(f"{file.relative_to(ROOT)} {facts.st_size} {facts.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def demo() -> str:
    """Let the demo world come to life; the command itself may run twice."""
    from django.core.management import call_command

    call_command("demo")
    return ""


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
