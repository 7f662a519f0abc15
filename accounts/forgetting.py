"""Forgets what nobody needs any more: what is kept for how long stands here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta

from django.core.management import call_command
from django.utils import timezone

from accounts import export, outbox_state
from accounts.models import SignIn
from accounts.rotation import data

log = logging.getLogger(__name__)

SIGN_INS_KEPT = timedelta(days=365)


def forget_sign_ins() -> int:
    """Delete sign-ins older than a year."""
    return SignIn.objects.filter(at__lt=timezone.now() - SIGN_INS_KEPT).delete()[0]


def forget_sessions() -> None:
    """Delete sessions that have expired."""
    call_command("clearsessions")


FORGETTERS: Mapping[str, Callable[[], object]] = {
    "outbox": outbox_state.forget,
    "sign_ins": forget_sign_ins,
    "sessions": forget_sessions,
    "exports": export.forget_expired,
    "data_keys": data.delete_retired_everywhere,
}


def forget_all() -> None:
    """Let every forgetter have its turn; one that fails is said and stops none of the others."""
    failed = []
    for name, forget in FORGETTERS.items():
        try:
            found = forget()
        except Exception:
            log.exception("forgetting failed", extra={"what": name})
            failed.append(name)
        else:
            log.info("forgot", extra={"what": name, "rows": found})
    if failed:
        raise RuntimeError(f"could not forget: {', '.join(failed)}")
