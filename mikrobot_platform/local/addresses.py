"""Database addresses as text: put together, taken apart, nothing connected."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

OWNER, APP, ENGINE = "mikrobot_owner", "mikrobot_app", "mikrobot_engine"
DATABASE = "mikrobot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Name a role and its password."""

    name: str
    password: str

    @classmethod
    def from_url(cls, url: str) -> Login:
        """Read it out of a database address."""
        parts = urlsplit(url)
        return cls(name=unquote(parts.username or ""), password=unquote(parts.password or ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Say which roles and which database there shall be."""

    owner: Login
    app: Login
    engine: Login
    database: str

    @classmethod
    def from_urls(cls, *, app: str, engine: str, owner: str) -> Plan:
        """Read it out of the three addresses that the processes use."""
        logins = {"owner": Login.from_url(owner), "app": Login.from_url(app), "engine": Login.from_url(engine)}
        return cls(**logins, database=database_of(owner))

    def urls(self, server: str) -> dict[str, str]:
        """Give the variables that point our roles at the database on the server of the address SERVER."""
        logins = {"DATABASE_URL": self.app, "DATABASE_ENGINE_URL": self.engine, "DATABASE_OWNER_URL": self.owner}
        return {name: with_login(server, login, self.database) for name, login in logins.items()}


def with_login(server: str, login: Login, database: str) -> str:
    """Write the address SERVER for another role and database."""
    parts = urlsplit(server)
    where = place(server)
    who = f"{quote(login.name, safe='')}:{quote(login.password, safe='')}"
    return parts._replace(netloc=f"{who}@{where}", path=f"/{quote(database, safe='')}").geturl()


def database_of(url: str) -> str:
    """Read the database's name out of an address."""
    return unquote(urlsplit(url).path.lstrip("/"))


def place(url: str) -> str:
    """Read host and port out of an address; this part may be shown to people."""
    return urlsplit(url).netloc.rpartition("@")[2]
