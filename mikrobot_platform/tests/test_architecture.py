"""The house rules that imports cannot show (those that they can: test_contracts.py), read off source and database."""

from __future__ import annotations

import ast
import fnmatch
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import psycopg
import pytest
from django.apps import apps
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import CreateModel, RunSQL

from accounts.models.base import TenantRow
from mikrobot_platform.kernel import registry
from mikrobot_platform.kernel.events import EventName

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("accounts", "dashboard", "mikrobot_platform", "notifications", "risk_management", "trading")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PURE = next(c for c in PYPROJECT["tool"]["importlinter"]["contracts"] if c["id"] == "pure")["source_modules"]

# --- What may stand where --------------------------------------------------------------------------------------------
THE_ROOT = {
    *PACKAGES, "manage.py", "requirements.txt", "requirements-dev.txt", "Dockerfile", "docker-compose.yml", "deploy",
    "pyproject.toml", "README.md", "ARCHITECTURE.md", "CHANGELOG.md", ".env.example", ".ci", ".git", ".gitignore",
    ".dockerignore", ".pre-commit-config.yaml",
}  # fmt: skip

# A file that grows past this asks to be split by noun. Each exception says why it stays whole.
LONGEST = 400
LONG_FILES: dict[str, str] = {}

# --- Where the rules bend, and why -----------------------------------------------------------------------------------
FLOATS: dict[str, str] = {}
MONEY_PATHS = ("mikrobot_platform/kernel", "risk_management", "trading", "accounts/billing", "accounts/tiers.py")

CLOCKS = {
    "mikrobot_platform/kernel/trace.py": "makes up ids for log lines; no decision looks at them",
}
CLOCK_MODULES = {"random", "secrets", "time"}
CLOCK_CALLS = {"now", "utcnow", "today", "uuid1", "uuid4", "urandom", "getrandbits"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def sources(*places: str, tests: bool = False, migrations: bool = False) -> list[Path]:
    """List Python files under PLACES, which may not exist yet."""
    found: list[Path] = []
    for place in places or (*PACKAGES, "manage.py"):
        path = ROOT / place
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.exists() else []
    return [
        path
        for path in found
        if (tests or "tests" not in path.parts) and (migrations or "migrations" not in path.parts)
    ]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Give line and full name of everything that a file imports."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def pure_files() -> list[Path]:
    """List the files of the modules that the contract calls pure; its stars stand for one name."""
    found = []
    for path in sources():
        dotted = name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        parts = dotted.split(".")
        prefixes = [parts[: length + 1] for length in range(len(parts))]
        for pattern in (entry.split(".") for entry in PURE):
            if any(
                len(prefix) == len(pattern) and all(map(fnmatch.fnmatchcase, prefix, pattern)) for prefix in prefixes
            ):
                found.append(path)
                break
    return found


# --- Names that lead somewhere ---------------------------------------------------------------------------------------
def test_every_registered_broker_has_a_card() -> None:
    venues = registry.venues()
    assert venues.keys() == registry.BROKERS.keys()
    assert all(code == card.code for code, card in venues.items())


@pytest.mark.parametrize("event", EventName)
def test_every_event_has_a_line_and_every_subscriber_exists(event: EventName) -> None:
    for name in registry.SUBSCRIBERS[event]:
        assert callable(registry.resolve(name)), name


def test_every_guard_of_accounts_exists() -> None:
    assert all(callable(registry.resolve(name)) for name in registry.ACCOUNT_GUARDS)


# --- Source ----------------------------------------------------------------------------------------------------------
def test_models_are_imported_and_not_looked_up() -> None:
    """`apps.get_model` hides an import from the contracts; in a migration it is the only right way."""
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr == "get_model"
    ]
    assert found == []


def floats_in(path: Path) -> list[str]:
    """Find number literals with a point, and every mention of the type."""
    return [
        f"{name_of(path)}:{node.lineno}"
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
    ]


def test_no_float_in_money_paths() -> None:
    found = [line for path in sources(*MONEY_PATHS) if name_of(path) not in FLOATS for line in floats_in(path)]
    assert found == []


def clocks_in(path: Path) -> list[str]:
    """Find imports of clocks and of chance, and the calls by which they hide in other modules."""
    taken = [
        f"{name_of(path)}:{line} {name}" for line, name in imports(path) if name.partition(".")[0] in CLOCK_MODULES
    ]
    called = [
        f"{name_of(path)}:{node.lineno} {node.func.attr}"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_CALLS
    ]
    return taken + called


def test_pure_modules_are_told_the_time() -> None:
    files = pure_files()
    assert ROOT / "mikrobot_platform" / "kernel" / "registry.py" in files
    assert [line for path in files if name_of(path) not in CLOCKS for line in clocks_in(path)] == []


def test_migrations_import_nothing_that_will_change() -> None:
    found = [
        f"{name_of(path)}:{line} {name}"
        for path in sources(migrations=True)
        if "migrations" in path.parts
        for line, name in imports(path)
        if name.partition(".")[0] in PACKAGES and not name.startswith("mikrobot_platform.db.")
    ]
    assert found == []


def test_files_stay_short() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert {name for name, length in lengths.items() if length > LONGEST} == LONG_FILES.keys()


def test_exceptions_are_still_needed() -> None:
    """Keep the lists above from outliving their reason."""
    assert all(floats_in(ROOT / name) for name in FLOATS)
    assert all(clocks_in(ROOT / name) for name in CLOCKS)


@pytest.mark.parametrize(
    ("text", "finder"),
    [
        ("fee = 0.1", floats_in),
        ("def f(x: float) -> None: ...", floats_in),
        ("x = float('1')", floats_in),
        ("import random", clocks_in),
        ("from time import monotonic", clocks_in),
        ("import datetime\nx = datetime.datetime.now()", clocks_in),
    ],
)
def test_the_finders_find(text: str, finder: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    path = tmp_path / "planted.py"
    path.write_text(text, encoding="utf-8")
    assert callable(finder)
    assert finder(path)


# --- Tables ----------------------------------------------------------------------------------------------------------
def tenant_tables() -> set[str]:
    """Name the table of every model whose rows belong to an organization, and that of the organizations."""
    return {model._meta.db_table for model in apps.get_models() if issubclass(model, TenantRow)} | {
        apps.get_model("accounts", "Organization")._meta.db_table
    }


def test_every_tenant_table_has_a_forced_policy(admin_url: str) -> None:
    """Ask the database itself, so that a table made by hand or by a library is seen as well."""
    with psycopg.connect(admin_url) as connection:
        rows = connection.execute(
            """
            select c.relname, c.relrowsecurity, c.relforcerowsecurity,
                   exists (select from pg_policy p where p.polrelid = c.oid and p.polpermissive and p.polcmd = '*'
                           and pg_get_expr(p.polqual, p.polrelid) like '%%app.organization_id%%'
                           and pg_get_expr(p.polwithcheck, p.polrelid) like '%%app.organization_id%%')
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = 'public' and c.relkind in ('r', 'p') and (
                c.relname = any(%s) or exists (
                    select from pg_attribute a
                    where a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped))
            """,
            [sorted(tenant_tables())],
        ).fetchall()
    assert {name for name, *_ in rows} == tenant_tables()
    assert [row for row in rows if not all(row[1:])] == []


def test_every_tenant_table_is_born_with_its_policy() -> None:
    """Look for FORCE in the very migration that creates the table: between two files it would stand open."""
    made: set[str] = set()
    for (app, name), migration in MigrationLoader(None).disk_migrations.items():
        sql = " ".join(str(operation.sql) for operation in migration.operations if isinstance(operation, RunSQL))
        for operation in migration.operations:
            if isinstance(operation, CreateModel):
                table = operation.options.get("db_table") or f"{app}_{operation.name_lower}"
                if table in tenant_tables():
                    made.add(table)
                    assert f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY" in sql, f"{table} in {app}/{name}"
    assert made == tenant_tables()


# --- The repository --------------------------------------------------------------------------------------------------
def ignored(name: str) -> bool:
    patterns = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    return any(fnmatch.fnmatchcase(name, pattern.rstrip("/")) for pattern in patterns)


def test_the_root_is_closed() -> None:
    standing = {path.name for path in ROOT.iterdir() if not ignored(path.name)}
    assert standing - THE_ROOT == set()
    assert THE_ROOT - standing <= {".git"}, "an archive has no .git; everything else is part of the house"


@pytest.mark.parametrize("command", ["python3 manage.py up", "python3 manage.py test"])
def test_the_readme_names_the_two_commands(command: str) -> None:
    assert re.search(rf"^\s*{re.escape(command)}$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_architecture_names_tests_that_exist() -> None:
    cited = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")))
    there = {
        (path.name, node.name)
        for path in sources(tests=True)
        if path.name.startswith("test_")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef)
    }
    assert cited
    assert cited - there == set()


def committed() -> list[Path]:
    """List the files of the repository; where git is not at hand, whatever is not ignored."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listing.returncode == 0 and listing.stdout:
        return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file() and not any(ignored(part) for part in path.relative_to(ROOT).parts)
    ]


# Where packages come from is each machine's business (pip.conf), and so is where a checkout lies.
FOREIGN = re.compile(
    r"--(extra-)?index-url|--find-links|/simple(/|\b)\s|PIP_INDEX|files\.pythonhosted"
    r"|(?<![\w.])/(root|home/\w+|Users/\w+|work|mnt)/[\w.]",
)


def test_files_name_no_machine_and_no_package_index() -> None:
    found = []
    for path in committed():
        if path == Path(__file__):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name_of(path)}: {hit[0]}" for hit in FOREIGN.finditer(text)]
    assert found == []
