"""From a bare Python to the running command: variables, virtual environment, then the command itself.

Only the standard library is there when this runs. Everything that can be wrong with a machine ends as a sentence."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mikrobot_platform.local import stage, variables
from mikrobot_platform.local.problem import Problem
from mikrobot_platform.local.venv import Venv

ROOT = Path(__file__).resolve().parent.parent
# `prepare` and `migrate` name the variable that they miss, the doctor reports; these would only fail later and darker.
NEED_SERVERS = frozenset(
    {
        "bench",
        "createsuperuser",
        "dbshell",
        "demo",
        "drill",
        "rotate_keys",
        "source_file",
        "staff_user",
        "watch_accounts",
        "watch_files",
    }
)
BRING_THEIR_OWN = {("drill", "exactly-once")}  # a command and its first word


def main(argv: list[str]) -> int:
    """Run one command of manage.py and answer its exit code."""
    try:
        return run(argv)
    except Problem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


def run(argv: list[str]) -> int:
    """Enter the virtual environment, read the variables, and hand the command to whoever does it.

    1. A `.env` beside manage.py fills what the environment does not say.
    2. Outside `.venv` this process makes it when needed and is replaced by its Python, which comes here again.
    3. `up`, `test` and some drills make their own variables; every other command takes those of a running `up`, if
       there is one."""
    command = argv[1] if len(argv) > 1 else ""
    variables.read_dotenv(ROOT / ".env")
    if os.environ.get("MIKROBOT_BOOTSTRAP") != "off":
        venv = Venv(ROOT)
        venv.ensure(dev=command == "test")
        if not venv.is_current:
            python = str(venv.python)
            sys.stdout.flush()
            os.execv(python, [python, str(ROOT / "manage.py"), *argv[1:]])  # noqa: S606
    if command == "up":
        from mikrobot_platform.local import up

        return up.main(argv[2:])
    if command == "test":
        from mikrobot_platform.local import suite

        suite.main(argv[2:])
    if stage.wants_one(argv):
        return stage.play(argv[1:])
    variables.adopt(argv, ROOT)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mikrobot_platform.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from mikrobot_platform.environment import NOTHING_CONFIGURED

    try:
        needs_servers = command in NEED_SERVERS and tuple(argv[1:3]) not in BRING_THEIR_OWN
        if needs_servers and settings.MODE == NOTHING_CONFIGURED and not {"-h", "--help"} & set(argv):
            raise Problem(
                f"Nothing is configured, and no MikroBot runs from {settings.DATA_DIR}.",
                "Start one with `python3 manage.py up`, name its data with DATA_DIR, or set what .env.example lists.",
            )
        execute_from_command_line(argv)
    except ImproperlyConfigured as error:
        if settings.configured:
            raise
        return refuse(str(error), argv)
    return 0


def refuse(reason: str, argv: list[str]) -> int:
    """Say why the settings cannot be read; the doctor says it in its own way."""
    from mikrobot_platform.doctor import fail, report

    remedy = "Correct the environment; .env.example describes every variable."
    if argv[1:2] != ["doctor"]:
        raise Problem(reason, remedy)
    sentence = " ".join(reason.split()).replace(" - ", " ", 1).replace(" - ", "; ")
    report.show([("environment", fail(sentence, remedy))], sys.stdout, as_json="--json" in argv)
    return 1
