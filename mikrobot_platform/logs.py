"""Logs: one JSON object a line, ASCII, with the trace id and the organization; what looks like a secret is masked."""

from __future__ import annotations

import json
import logging
import logging.config
import re
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from mikrobot_platform.db import scope
from mikrobot_platform.kernel.trace import trace_id

_SECRET_NAME = re.compile(
    r"pass(word|wd)?|secret|token|credential|authorization|cookie|api_?key|private|otp", re.IGNORECASE
)
_SECRET_TEXT = re.compile(
    r"(mk_[0-9A-Za-z]{20,}_[0-9A-Za-z]+)_[0-9A-Za-z_-]+"  # our API keys
    r"|(://[^:/@\s]*):[^@\s]+@"  # passwords in URLs; Redis's have no user
    r"|((?:Bearer|Basic)\s+)\S+"
    r"|(/(?:invitation|confirm-email|password/reset/key|hooks/+tv)/+)[^/\s]+",  # links that open something
    re.IGNORECASE,
)
_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def mask(text: str) -> str:
    """Blank out keys, bearer tokens and passwords inside a line of text."""
    return _SECRET_TEXT.sub(lambda found: f"{found[1] or found[2] or found[3] or found[4] or ''}***", text)


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """Collect what a record says, with secrets masked by name and by shape."""
    scoped = scope.current()
    line: dict[str, Any] = {
        "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": mask(record.getMessage()),
        "trace": trace_id.get() or None,
        "organization": str(scoped.organization_id) if scoped.organization_id else None,
        "scope": scoped.system,
    }
    for name, value in vars(record).items():
        if name not in _KNOWN and not name.startswith("_"):
            if _SECRET_NAME.search(name):
                line[name] = "***"
            elif isinstance(value, int | float | bool | None):
                line[name] = value
            else:
                line[name] = mask(str(value))
    if record.exc_info:
        line["exception"] = mask(logging.Formatter().formatException(record.exc_info))
    return {name: value for name, value in line.items() if value is not None}


class JsonFormatter(logging.Formatter):
    """Write a record as one line of ASCII JSON."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(fields(record), ensure_ascii=True, default=str)


class PlainFormatter(logging.Formatter):
    """Write a record for a person at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        line = fields(record)
        head = f"{line.pop('at')} {line.pop('level'):7} {line.pop('logger')}: {line.pop('event')}"
        trace = line.pop("exception", "")
        rest = " ".join(f"{name}={value}" for name, value in line.items())
        return f"{head} {rest}".rstrip().encode("ascii", "backslashreplace").decode() + (f"\n{trace}" if trace else "")


def adopt(name: str) -> None:
    """Let a logger that brings handlers of its own write as all others do: its lines may name an address, too."""
    logger = logging.getLogger(name)
    logger.handlers.clear()
    logger.propagate = True


def configure() -> None:
    """Send everything to standard error in the chosen shape."""
    formatter = JsonFormatter if settings.LOG_FORMAT == "json" else PlainFormatter
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": f"{formatter.__module__}.{formatter.__qualname__}"}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": settings.LOG_LEVEL},
            "loggers": {
                "django": {"level": "INFO", "handlers": [], "propagate": True},
                "django.request": {"level": "ERROR"},  # a 404 is the visitor's business
                "celery.app.trace": {"level": "WARNING"},
                "celery.beat": {"level": "WARNING"},
                "celery.worker.strategy": {"level": "WARNING"},  # a line per message, with its arguments
                "kombu": {"level": "WARNING"},
            },
        }
    )
