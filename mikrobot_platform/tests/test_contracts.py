"""The import contracts of pyproject.toml hold, and each has been seen to fail on an import planted against it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
CONTRACTS = {contract["id"]: contract for contract in SETTINGS["contracts"]}

KERNEL = "mikrobot_platform/kernel/events.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """Lines added to files (which may be new), the contract that must fail, and what it must say about it."""

    contract: str
    files: Mapping[str, str]
    says: str


PLANTS = {
    "the kernel imports an app": Plant(
        contract="rooms",
        files={KERNEL: "import accounts.models"},
        says="mikrobot_platform.kernel.events -> accounts.models",
    ),
    "accounts imports trading": Plant(
        contract="rooms",
        files={"accounts/access.py": "import trading.brokers"},
        says="accounts.access -> trading.brokers",
    ),
    "an app imports a door of the platform": Plant(
        contract="rooms",
        files={"accounts/tasks.py": "import mikrobot_platform.celery"},
        says="accounts.tasks -> mikrobot_platform.celery",
    ),
    "risk management imports notifications": Plant(
        contract="rooms",
        files={"risk_management/apps.py": "import notifications.apps"},
        says="risk_management.apps -> notifications.apps",
    ),
    "trading imports the dashboard through a third module": Plant(
        contract="rooms",
        files={
            "trading/brokers/paper.py": "import notifications.news",
            "notifications/news.py": "import dashboard.apps",
        },
        says="notifications.news -> dashboard.apps",
    ),
    "the database floor reads the settings": Plant(
        contract="platform",
        files={"mikrobot_platform/db/ids.py": "import mikrobot_platform.settings"},
        says="mikrobot_platform.db.ids -> mikrobot_platform.settings",
    ),
    "the platform gets a module without a place": Plant(
        contract="platform", files={"mikrobot_platform/newcomer.py": ""}, says="mikrobot_platform.newcomer"
    ),
    "a model calls a service": Plant(
        contract="accounts",
        files={"accounts/models/people.py": "import accounts.services.people"},
        says="accounts.models.people -> accounts.services.people",
    ),
    "a service knows the task that calls it": Plant(
        contract="accounts",
        files={"accounts/services/people.py": "import accounts.tasks"},
        says="accounts.services.people -> accounts.tasks",
    ),
    "a migration imports a model": Plant(
        contract="accounts",
        files={"accounts/migrations/0001_house.py": "import accounts.models"},
        says="accounts.migrations.0001_house -> accounts.models",
    ),
    "accounts gets a module without a place": Plant(
        contract="accounts", files={"accounts/newcomer.py": ""}, says="accounts.newcomer"
    ),
    "the keys import the forms": Plant(
        contract="auth",
        files={"accounts/auth/keys.py": "import accounts.auth.forms"},
        says="accounts.auth.keys -> accounts.auth.forms",
    ),
    "the engine looks up to the pipeline": Plant(
        contract="trading",
        files={
            "trading/engine/__init__.py": "",
            "trading/engine/settle.py": "import trading.pipeline",
            "trading/pipeline.py": "",
        },
        says="trading.engine.settle -> trading.pipeline",
    ),
    "the story opens a file": Plant(
        contract="trading",
        files={"trading/pipeline.py": "import trading.files.disk"},
        says="trading.pipeline -> trading.files.disk",
    ),
    "trading gets a module without a place": Plant(
        contract="trading", files={"trading/newcomer.py": ""}, says="trading.newcomer"
    ),
    "a program asks a rule": Plant(
        contract="risk",
        files={
            "risk_management/compliance/policy.py": "import risk_management.rules",
            "risk_management/rules/__init__.py": "",
        },
        says="risk_management.compliance.policy -> risk_management.rules",
    ),
    "risk management gets a module without a place": Plant(
        contract="risk", files={"risk_management/newcomer.py": ""}, says="risk_management.newcomer"
    ),
    "a transport dispatches": Plant(
        contract="notifications",
        files={
            "notifications/transports/__init__.py": "",
            "notifications/transports/post.py": "import notifications.dispatch",
        },
        says="notifications.transports.post -> notifications.dispatch",
    ),
    "a query looks at a view": Plant(
        contract="dashboard",
        files={"dashboard/queries/trail.py": "import dashboard.views.home"},
        says="dashboard.queries.trail -> dashboard.views.home",
    ),
    "the dashboard gets a module without a place": Plant(
        contract="dashboard", files={"dashboard/newcomer.py": ""}, says="dashboard.newcomer"
    ),
    **{
        f"the kernel imports {module}": Plant(
            contract="pure", files={KERNEL: f"import {module}"}, says=f"mikrobot_platform.kernel.events -> {module}"
        )
        for module in CONTRACTS["pure"]["forbidden_modules"]
        if not module.startswith("*.")
    },
    "sizing looks at rows": Plant(
        contract="pure",
        files={"risk_management/sizing.py": "import accounts.models"},
        says="risk_management.sizing -> accounts.models",
    ),
    "an adapter opens the vault": Plant(
        contract="adapters",
        files={"trading/brokers/paper.py": "import accounts.vault"},
        says="trading.brokers.paper -> accounts.vault",
    ),
    "an adapter reads rows": Plant(
        contract="adapters",
        files={"trading/brokers/paper.py": "import accounts.models.base"},
        says="trading.brokers.paper -> accounts.models.base",
    ),
    "an adapter calls the pipeline": Plant(
        contract="adapters",
        files={"trading/brokers/paper.py": "import trading.pipeline", "trading/pipeline.py": ""},
        says="trading.brokers.paper -> trading.pipeline",
    ),
    "an adapter borrows from its neighbour": Plant(
        contract="siblings",
        files={"trading/brokers/neighbour.py": "import trading.brokers.paper"},
        says="trading.brokers.neighbour -> trading.brokers.paper",
    ),
    "a page opens the vault": Plant(
        contract="vault", files={"dashboard/apps.py": "import accounts.vault"}, says="dashboard.apps -> accounts.vault"
    ),
    "a service handles data keys": Plant(
        contract="keys",
        files={"accounts/services/people.py": "import accounts.data_keys"},
        says="accounts.services.people -> accounts.data_keys",
    ),
    "a service borrows from the tests": Plant(
        contract="tests",
        files={"accounts/services/people.py": "import accounts.tests.people", "accounts/tests/people.py": ""},
        says="accounts.services.people -> accounts.tests.people",
    ),
    "a door borrows from the rehearsal": Plant(
        contract="rehearsal",
        files={"trading/tasks.py": "import trading.rehearsal.messages"},
        says="trading.tasks -> trading.rehearsal.messages",
    ),
    "the story looks into the paper venue": Plant(
        contract="paper",
        files={"trading/pipeline.py": "import trading.paper.ledger"},
        says="trading.pipeline -> trading.paper.ledger",
    ),
    "the paper venue reads our rows": Plant(
        contract="trading",
        files={"trading/paper/venue.py": "import trading.models"},
        says="trading.paper.venue -> trading.models",
    ),
    "the rehearsal reads rows": Plant(
        contract="trading",
        files={"trading/rehearsal/fuzz.py": "import trading.models"},
        says="trading.rehearsal.fuzz -> trading.models",
    ),
    "two apps' modules import each other": Plant(
        contract="cycles",
        files={
            "notifications/here.py": "import notifications.there",
            "notifications/there.py": "import notifications.here",
        },
        says="No cycles are allowed in notifications",
    ),
    "two models import each other": Plant(
        contract="cycles",
        files={"accounts/models/fields.py": "import accounts.models.trading_accounts"},
        says="No cycles are allowed in accounts.models",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """The tree as the linter sees it, somewhere where it may be spoilt."""

    root: Path
    cache: Path

    @contextmanager
    def planted(self, files: Mapping[str, str]) -> Iterator[None]:
        """Add lines to files, and take them away again."""
        before = {name: _text(self.root / name) for name in files}
        for name, line in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{before[name] or ''}\n{line}\n", encoding="utf-8")
        try:
            yield
        finally:
            for name, text in before.items():
                if text is None:
                    (self.root / name).unlink()
                else:
                    (self.root / name).write_text(text, encoding="utf-8")

    def lint(self, *contracts: str) -> tuple[int, str]:
        """Run the real linter over the copy; answer its exit code and its words on one line each."""
        code = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
        chosen = [part for contract in contracts for part in ("--contract", contract)]
        done = subprocess.run(
            [sys.executable, "-c", code, "--no-logo", "--cache-dir", str(self.cache), *chosen],
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"PYTHONPATH": str(self.root), "COLUMNS": "400", "PATH": ""},
        )
        return done.returncode, done.stdout + done.stderr


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Copy every Python file of the six packages, and the contracts."""
    root = tmp_path_factory.mktemp("tree")
    for package in SETTINGS["root_packages"]:
        for source in (ROOT / package).rglob("*.py"):
            target = root / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    (root / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    return Copy(root=root, cache=tmp_path_factory.mktemp("cache"))


def test_the_tree_keeps_every_contract(copy: Copy) -> None:
    code, words = copy.lint()
    assert code == 0, words
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in words


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_import_breaks_its_contract(copy: Copy, name: str) -> None:
    plant = PLANTS[name]
    with copy.planted(plant.files):
        code, words = copy.lint(plant.contract)
    assert code == 1, words
    assert f"{CONTRACTS[plant.contract]['name']} BROKEN" in words
    assert plant.says in words


def test_every_contract_has_been_seen_to_fail() -> None:
    assert {plant.contract for plant in PLANTS.values()} == CONTRACTS.keys()


def test_every_part_of_the_platform_is_a_door_or_the_floor() -> None:
    """Layers without a container cannot be exhaustive: their first and last line are compared with its neighbour."""
    lines = CONTRACTS["rooms"]["layers"]
    ends = {part.strip(" ()") for line in (lines[0], lines[-1]) for part in line.split(":")}
    parts = {part.strip(" ()") for line in CONTRACTS["platform"]["layers"] for part in line.split(":")}
    assert ends == {f"mikrobot_platform.{part}" for part in parts - {"tests"}}
