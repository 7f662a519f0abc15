"""What runs here and what is somebody else's, decided from the environment; and the variables of every process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mikrobot_platform.local import ports
from mikrobot_platform.local.addresses import APP, DATABASE, ENGINE, OWNER, Login, Plan, database_of, place
from mikrobot_platform.local.paths import Data
from mikrobot_platform.local.postgres import Postgres
from mikrobot_platform.local.problem import Problem
from mikrobot_platform.local.redis import Redis
from mikrobot_platform.local.secrets import Secrets
from mikrobot_platform.local.state import remember_ports, remembered_port

URLS = ("DATABASE_URL", "DATABASE_ENGINE_URL", "DATABASE_OWNER_URL")
# What other commands need beside a running `up`. The metrics folder is not among them: a short command would litter it.
PUBLISHED = (
    "MIKROBOT_MODE", *URLS, "REDIS_URL", "SECRET_KEY", "SECRET_KEY_FALLBACKS", "MASTER_KEYS", "MASTER_KEYS_FILE",
    "SITE_URL", "ALLOWED_HOSTS", "EMAIL_URL", "DEFAULT_FROM_EMAIL", "TRUSTED_PROXY_COUNT", "METRICS_TOKEN", "DATA_DIR",
    "DATABASE_POOL_SIZE", "DATABASE_PGBOUNCER", "SIGNAL_FILES_DIR", "PAPER_VENUE_URL", "PAPER_VENUE_ADMIN_TOKEN",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Hold our servers (None: given from outside), the variables, and the address that may create roles ('': none)."""

    postgres: Postgres | None
    redis: Redis | None
    environment: Mapping[str, str]
    admin: str

    def published(self) -> dict[str, str]:
        """Pick the variables for state.json."""
        names = [*PUBLISHED, *(f"{name}_FILE" for name in PUBLISHED if not name.endswith("_FILE"))]
        return {name: self.environment[name] for name in names if self.environment.get(name)}

    def notes(self) -> list[str]:
        """Say what is not started because somebody else runs it."""
        lines = []
        if self.postgres is None:
            lines.append(f"PostgreSQL is the one at {place(self.environment['DATABASE_URL'])} (DATABASE_URL).")
        if self.redis is None:
            lines.append(f"Redis is the one at {place(self.environment['REDIS_URL'])} (REDIS_URL).")
        if given := self.environment.get("PAPER_VENUE_URL"):
            lines.append(f"The paper venue is the one at {given} (PAPER_VENUE_URL).")
        return lines


def install(data: Data, port: int, given: Mapping[str, str]) -> Installation:
    """Decide for the data directory, the web's port and the variables that were given."""
    said = _Given(given)
    secrets = Secrets.load(data.secrets)
    postgres, databases, admin = _databases(data, secrets, said)
    redis, taken = None, frozenset({postgres.port} if postgres else set())
    redis_url = said.text("REDIS_URL")
    if not redis_url:
        redis_port = ports.free_port(remembered_port(data.ports, "redis"), avoid=taken | {port})
        redis = Redis(data.redis, redis_port, secrets.redis)
        redis_url = redis.url
    remember_ports(data.ports, {"postgresql": postgres.port if postgres else 0, "redis": redis.port if redis else 0})
    ours = {
        "MIKROBOT_MODE": "local",
        "SITE_URL": f"http://localhost:{port}",
        "SECRET_KEY": secrets.secret_key,
        "METRICS_TOKEN": secrets.metrics_token,
        "EMAIL_URL": data.mail.as_uri(),
    }
    environment = {name: value for name, value in given.items() if not name.startswith("DATABASE_ADMIN_URL")}
    environment |= {name: value for name, value in ours.items() if not said.has(name)}
    if not said.has("MASTER_KEYS"):
        environment["MASTER_KEYS_FILE"] = str(secrets.master_keys)
    environment |= {
        **databases,
        "REDIS_URL": redis_url,
        "DATA_DIR": str(data.root),
        "PROMETHEUS_MULTIPROC_DIR": str(data.metrics),
        "DJANGO_SETTINGS_MODULE": "mikrobot_platform.settings",
        "PYTHONUNBUFFERED": "1",
    }
    return Installation(postgres=postgres, redis=redis, environment=environment, admin=admin)


def _databases(data: Data, secrets: Secrets, said: _Given) -> tuple[Postgres | None, dict[str, str], str]:
    """Choose between an embedded server, three addresses that are used as they are, and one that makes the others."""
    addresses = {name: said.text(name) for name in URLS}
    ours = Plan(
        owner=Login(name=OWNER, password=secrets.owner),
        app=Login(name=APP, password=secrets.app),
        engine=Login(name=ENGINE, password=secrets.engine),
        database=database_of(addresses["DATABASE_URL"]) or DATABASE,
    )
    if all(addresses.values()):
        return None, addresses, said.text("DATABASE_ADMIN_URL")
    if addresses["DATABASE_URL"] and not addresses["DATABASE_ENGINE_URL"] and not addresses["DATABASE_OWNER_URL"]:
        server = addresses["DATABASE_URL"]
        return None, ours.urls(server), said.text("DATABASE_ADMIN_URL") or server
    if any(addresses.values()):
        missing = ", ".join(name for name, value in addresses.items() if not value)
        raise Problem(
            f"Some database addresses are given and some are not: {missing} is missing.",
            "Give all three, or only DATABASE_URL with a role that may create the others, or none of them.",
        )
    postgres = Postgres(data.postgres, ports.free_port(remembered_port(data.ports, "postgresql")), secrets.superuser)
    return postgres, ours.urls(postgres.admin_url), postgres.admin_url


class _Given:
    """Read variables that may also be given as a file (NAME_FILE)."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def has(self, name: str) -> bool:
        return bool(self._values.get(name) or self._values.get(f"{name}_FILE"))

    def text(self, name: str) -> str:
        value, path = self._values.get(name, ""), self._values.get(f"{name}_FILE", "")
        if value or not path:
            return value
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Problem(f"{name}_FILE={path} cannot be read.", "Repair the path or remove the variable.") from error
