"""Master keys: put a new one first, bring everything under it, drop the old ones when nothing needs them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.db import connections

from accounts import audit, key_providers
from accounts.models import DataKey
from accounts.models.audit import PLATFORM_ID
from accounts.rotation import BATCH, SCOPE, Say, Unfinished
from accounts.rotation.data import sealed_fields
from accounts.tenancy import system_scope, tenant_scope
from mikrobot_platform.db import scope as scopes

# A task may hold its transaction for 300 s (CELERY_TASK_TIME_LIMIT).
LONGEST_TRANSACTION_S = 330.0
MOST_PASSES = 100
_FERNET_START = "gAAAA"  # version 0x80 and the high bytes of a 64-bit time


def rotate(say: Say, *, wait_s: float = 0.0) -> None:
    """Put a new master key first where the keys are ours to write, then bring everything under the first key.

    What an interrupted run, or an operator who put a key first by hand, left to do is done without making another key.
    """
    provider = key_providers.provider()
    if isinstance(provider, key_providers.FileKeyProvider):
        left = stale_keys() + _stale_under_master(change=False)
        if left:
            say(f"{left} secrets are not under the first master key yet: finishing that, no new key")
        else:
            say(f"new master key {_put_new_first(provider)} put first in {provider.path}")
        time.sleep(wait_s)
    count = bring_under_first(say)
    name = provider.fingerprints()[0]
    with system_scope(SCOPE):
        audit.record_platform("vault.master_rotated", name, reencrypted=count)
    say(f"everything opens with master key {name}; {count} secrets were re-encrypted")


def _put_new_first(provider: key_providers.FileKeyProvider) -> str:
    try:
        return provider.put_first(Fernet.generate_key().decode())
    except OSError as error:  # a secret that Kubernetes or Docker mounts cannot be written from here
        raise Unfinished(
            f"{provider.path} cannot be written ({type(error).__name__}); put a new key on its first line where it"
            " comes from, then wait until every host has it"
        ) from error


def bring_under_first(say: Say) -> int:
    """Pass over data keys and people's factors until a pass finds nothing to do; return how much was done."""
    total = 0
    for number in range(1, MOST_PASSES + 1):
        found = rewrap_keys() + _stale_under_master(change=True)
        if found == 0:
            return total
        total += found
        say(f"pass {number}: {found} found under older master keys")
    raise Unfinished("secrets keep appearing under older master keys: is a process running with other MASTER_KEYS?")


def stale_keys() -> int:
    """Count the data keys that the first master key does not open but another one does."""
    return sum(len(batch) for batch in _stale_batches(None))


def rewrap_keys(organizations: Collection[UUID] | None = None) -> int:
    """Wrap the data keys of all organizations, or of some, with the first master key; return how many were not."""
    found = 0
    for batch in _stale_batches(organizations):
        with system_scope(SCOPE):
            for pk, organization_id in batch:
                with tenant_scope(organization_id):
                    row = DataKey.objects.select_for_update(no_key=True).filter(pk=pk).first()
                    if row is not None:
                        row.wrapped = key_providers.master().rotate(row.wrapped).decode("ascii")
                        row.save(update_fields=["wrapped"])
        found += len(batch)
    return found


def _stale_batches(organizations: Collection[UUID] | None) -> Iterator[list[tuple[UUID, UUID]]]:
    """Give (id, organization) of what the first key does not open, a page at a time."""
    last: UUID | None = None
    while True:
        with system_scope(SCOPE):
            rows = DataKey.objects.order_by("pk")
            if organizations is not None:
                rows = rows.filter(organization_id__in=organizations)
            if last is not None:
                rows = rows.filter(pk__gt=last)
            page = list(rows.values_list("pk", "organization_id", "wrapped")[:BATCH])
        if not page:
            return
        last = page[-1][0]
        keys = key_providers.provider().keys()
        batch = [(pk, organization_id) for pk, organization_id, wrapped in page if _is_stale(wrapped, keys)]
        if batch:
            yield batch


def unreadable_keys() -> int:
    """Count the data keys that no master key opens: what they sealed is lost unless an older master key comes back."""
    with system_scope(SCOPE):
        wrapped = list(DataKey.objects.values_list("wrapped", flat=True))
    keys = key_providers.provider().keys()
    return sum(not any(_opens(key, one) for key in keys) for one in wrapped)


def stale_factors(*, change: bool) -> int:
    """Count, and re-encrypt if asked, the people's second factors that are not under the first master key."""
    found, last = 0, 0
    while True:
        with system_scope(SCOPE):
            page = list(Authenticator.objects.filter(pk__gt=last).order_by("pk").values_list("pk", "data")[:BATCH])
            keys = key_providers.provider().keys()
            stale = [pk for pk, data in page if _exchange(data, keys) != data]
            found += len(stale)
            # Read again under a lock, so that a recovery code just used stays used; what is held waits for a pass.
            for row in Authenticator.objects.select_for_update(skip_locked=True).filter(pk__in=stale if change else []):
                row.data = _exchange(row.data, keys)
                row.save(update_fields=["data"])
        if not page:
            return found
        last = page[-1][0]


def _stale_under_master(*, change: bool) -> int:
    return stale_factors(change=change) + stale_platform_secrets(change=change)


def stale_platform_secrets(*, change: bool) -> int:
    """Count, and re-encrypt if asked, the platform's own sealed texts that are not under the first master key.

    Rows of the platform have no data key: they carry the id zero, and master keys seal them (accounts/platform_box.py).
    """
    found = 0
    for model, field in sealed_fields():
        with system_scope(SCOPE):
            rows = model._base_manager.filter(organization_id=PLATFORM_ID, **{f"{field}__isnull": False})
            if change:
                rows = rows.select_for_update(skip_locked=True)
            keys = key_providers.provider().keys()
            for pk, text in rows.values_list("pk", field):
                if _is_stale(text, keys):
                    found += 1
                    if change:
                        model._base_manager.filter(pk=pk).update(**{field: _exchange(text, keys)})
    return found


def _is_stale(token: str, keys: tuple[Fernet, ...]) -> bool:
    return not _opens(keys[0], token) and any(_opens(key, token) for key in keys[1:])


def _opens(key: Fernet, token: str) -> bool:
    try:
        key.decrypt(token)
    except InvalidToken:
        return False
    return True


def _exchange(data: Any, keys: tuple[Fernet, ...]) -> Any:
    """Return the same data with every token of an older key re-encrypted, whatever the library calls its fields."""
    if isinstance(data, dict):
        return {name: _exchange(value, keys) for name, value in data.items()}
    if isinstance(data, list):
        return [_exchange(value, keys) for value in data]
    if isinstance(data, str) and data.startswith(_FERNET_START) and _is_stale(data, keys):
        return MultiFernet(keys).rotate(data).decode("ascii")
    return data


def drop_old(say: Say) -> None:
    """Remove the older master keys, once a pass begun after all older writers had ended finds nothing under them."""
    provider = key_providers.provider()
    first, *older = provider.fingerprints()
    if not older:
        say(f"{first} is the only master key; there is nothing to drop")
        return
    bring_under_first(say)
    while True:
        _wait_for_open_transactions(say)
        if bring_under_first(say) == 0:
            break
    if isinstance(provider, key_providers.FileKeyProvider):
        try:
            dropped = provider.drop(older)
        except OSError:
            _name_unneeded(say, older, str(provider.path))
            return
        with system_scope(SCOPE):
            audit.record_platform("vault.master_dropped", first, dropped=older)
        say(f"{dropped} older master keys removed from {provider.path}")
    else:
        _name_unneeded(say, older, "MASTER_KEYS")


def _name_unneeded(say: Say, fingerprints: Sequence[str], place: str) -> None:
    for position, name in enumerate(fingerprints, start=2):
        say(f"nothing needs key {position} of {place} (fingerprint {name}) any more: remove it there")


def _wait_for_open_transactions(say: Say) -> None:
    """Return when every transaction that is open now has ended: what it wrote under an older key can be seen then."""
    deadline, is_told = time.monotonic() + LONGEST_TRANSACTION_S, False
    waiting = _open_transactions()
    while waiting := waiting & _open_transactions():
        if time.monotonic() > deadline:
            pids = sorted(pid for _alias, pid, _began in waiting)
            raise Unfinished(f"transactions stay open (PostgreSQL pids {pids}); no key was dropped")
        if not is_told:
            say(f"waiting for {len(waiting)} open transactions to end")
            is_told = True
        time.sleep(0.05)


def _open_transactions() -> set[tuple[str, int, str]]:
    """List the open transactions of our own two roles; each sees only its own, so each is asked."""
    found: set[tuple[str, int, str]] = set()
    for alias in (scopes.APP, scopes.ENGINE):
        with connections[alias].cursor() as cursor:
            cursor.execute(
                "select pid, xact_start::text from pg_stat_activity where usename = current_user"
                " and datname = current_database() and xact_start is not null and pid <> pg_backend_pid()"
            )
            found.update((alias, pid, began) for pid, began in cursor.fetchall())
    return found
