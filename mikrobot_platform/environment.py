"""Reads the environment for settings.py: each variable once, typed; everything that is wrong is said at once."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

NOTHING_CONFIGURED = "tools"
LONGEST_SOCKET = 100  # the system has room for 107 bytes
MODES = ("local", "production", "test", NOTHING_CONFIGURED)


@dataclass(slots=True)
class Environment:
    """Typed access that collects complaints instead of stopping at the first."""

    values: Mapping[str, str] = field(default_factory=lambda: os.environ)
    complaints: list[str] = field(default_factory=list)
    read: set[str] = field(default_factory=set)

    @property
    def is_unconfigured(self) -> bool:
        """Tell whether this is a linter's or a migration writer's process, to which nothing was given."""
        names = ("MIKROBOT_MODE", "DATABASE_URL", "SECRET_KEY", "SECRET_KEY_FILE")
        return not any(self.values.get(name) for name in names)

    def text(self, name: str, default: str | None = None) -> str:
        """Read NAME, or the file that NAME_FILE points at; without a default it is required."""
        self.read.add(name)
        value = self.values.get(name, "")
        path = self.values.get(f"{name}_FILE", "")
        if not value and path:
            try:
                value = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                self.complaints.append(f"{name}_FILE={path} cannot be read ({error.__class__.__name__})")
                return default or ""
        if value:
            return value
        if default is None and not self.is_unconfigured:
            self.complaints.append(f"{name} is missing")
        return default or ""

    def number(self, name: str, default: int, *, low: int = 0, high: int = 1_000_000) -> int:
        raw = self.text(name, str(default))
        if raw.isascii() and raw.isdigit() and low <= int(raw) <= high:
            return int(raw)
        self.complaints.append(f"{name}={raw!r} is not a whole number from {low} to {high}")
        return default

    def flag(self, name: str, *, default: bool) -> bool:
        raw = self.text(name, "1" if default else "0").lower()
        if raw in {"1", "true", "yes", "on"}:
            return True
        if raw not in {"0", "false", "no", "off"}:
            self.complaints.append(f"{name}={raw!r} is neither 1 nor 0")
        return False

    def socket(self, name: str, path: Path) -> str:
        """Read unix:///path or tcp://host:port; by default PATH, or where that is too long a port of this machine."""
        ours = f"unix://{path}"
        if len(os.fsencode(path)) > LONGEST_SOCKET:
            ours = f"tcp://127.0.0.1:{20_000 + zlib.crc32(os.fsencode(path)) % 10_000}"
        url = self.text(name, ours)
        scheme, _, place = url.partition("://")
        host, _, port = place.rpartition(":")
        is_port = bool(host) and port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535
        if not (scheme == "unix" and place.startswith("/")) and not (scheme == "tcp" and is_port):
            self.complaints.append(f"{name} is neither unix:///path nor tcp://host:port")
        return url

    def names(self, name: str, default: str = "") -> list[str]:
        return [part.strip() for part in self.text(name, default).split(",") if part.strip()]

    def choice(self, name: str, options: tuple[str, ...], default: str) -> str:
        value = self.text(name, default)
        if value in options:
            return value
        self.complaints.append(f"{name}={value!r} is not one of {', '.join(options)}")
        return default

    def database(self, name: str, options: dict[str, Any], *, is_required: bool = True) -> dict[str, Any]:
        """Turn postgresql://user:password@host:port/name into Django's dictionary; nothing given is Django's dummy."""
        url = self.text(name, None if is_required else "")
        if not url:
            return {"ENGINE": "django.db.backends.dummy"}
        parts = self._split(name, url, ("postgresql", "postgres"))
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        return {
            "ENGINE": "mikrobot_platform.db",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": query.pop("host", None) or parts.hostname or "",
            "PORT": str(parts.port or ""),
            "OPTIONS": {**options, **query},
        }

    def redis(self, name: str) -> Callable[[int], str]:
        """Check a Redis URL and give a function that names one of its logical databases."""
        url = self.text(name)
        if url:
            self._split(name, url, ("redis", "rediss"))
        base = url.rstrip("/")
        return lambda number: f"{base}/{number}" if base else ""

    def email(self, name: str, default: str) -> dict[str, Any]:
        """Turn smtp://user:password@host:port/?tls=1 or file:///directory into Django's EMAIL_ settings."""
        parts = self._split(name, self.text(name, default), ("smtp", "file"))
        if parts.scheme == "file":
            return {"BACKEND": "django.core.mail.backends.filebased.EmailBackend", "FILE_PATH": unquote(parts.path)}
        query = parse_qs(parts.query)
        return {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "HOST": parts.hostname or "localhost",
            "PORT": parts.port or 587,
            "HOST_USER": unquote(parts.username or ""),
            "HOST_PASSWORD": unquote(parts.password or ""),
            "USE_TLS": query.get("tls", ["0"])[-1] == "1",
            "USE_SSL": query.get("ssl", ["0"])[-1] == "1",
            "TIMEOUT": 10,
        }

    def site(self, name: str, default: str) -> SplitResult:
        """Read the public address; its scheme decides cookies, redirects and HSTS."""
        return self._split(name, self.text(name, default), ("http", "https"))

    def _split(self, name: str, url: str, schemes: tuple[str, ...]) -> SplitResult:
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in schemes:
            # The value itself may hold a password, so only its shape is named.
            self.complaints.append(f"{name} does not start with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return parts

    def refuse(self) -> None:
        """Raise once, naming everything that is wrong and never a value that is secret."""
        if self.complaints:
            listing = "\n".join(f"  - {line}" for line in self.complaints)
            raise ImproperlyConfigured(f"The environment is not right (see .env.example):\n{listing}")
