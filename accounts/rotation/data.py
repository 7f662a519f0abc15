"""Data keys: a new version per organization, everything re-sealed under it, the old one deleted when it is idle."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.db import connections, models
from django.utils import timezone

from accounts import audit, data_keys
from accounts.data_keys import FORMAT
from accounts.models import DataKey, Organization
from accounts.models.base import TenantRow
from accounts.models.fields import SealedField
from accounts.rotation import BATCH, SCOPE, Say
from accounts.tenancy import atomic, system_scope, tenant_scope
from mikrobot_platform.db import scope as scopes

# A retired key waits this long: somebody may still hold a row that was loaded before, and save it whole.
GRACE = timedelta(hours=1)
# Passes over what others hold locked; a row that is held through all of them is left to the next run, with its key.
PASSES = 20
PAUSE_S = 0.05


def all_organizations() -> list[UUID]:
    with system_scope(SCOPE):
        return list(Organization.objects.order_by("pk").values_list("pk", flat=True))


def rotate(organization_id: UUID, say: Say, *, grace: timedelta = GRACE) -> None:
    """Give one organization a new data key, re-seal what it has, delete the keys that nothing needs any more.

    What an interrupted run left sealed under an older key is re-sealed first, without making another key.
    """
    with tenant_scope(organization_id):
        current = _current_version()
        if current is None:
            say(f"{organization_id}: has no data key, nothing to rotate")
            return
        resealed = reseal(current) if _left(current) else 0
        if not resealed:
            current = _new_version()
            resealed = reseal(current)
        deleted = delete_retired(grace=grace)
        left = _left(current)
    say(
        f"{organization_id}: data key version {current}, {resealed} secrets re-sealed, {deleted} old keys deleted"
        + (f", {left} left for another run" if left else "")
    )


def delete_retired_everywhere(*, grace: timedelta = GRACE) -> int:
    """Delete, in every organization, the retired keys whose time has come; for the timetable."""
    with system_scope(SCOPE):
        due = DataKey.objects.filter(retired_at__lte=timezone.now() - grace).order_by("organization_id")
        organizations = list(due.values_list("organization_id", flat=True).distinct())
    deleted = 0
    for organization_id in organizations:
        with tenant_scope(organization_id):
            current = _current_version()
            if current is not None:
                reseal(current)
            deleted += delete_retired(grace=grace)
    return deleted


def sealed_fields() -> Iterator[tuple[type[models.Model], str]]:
    """Find every sealed column there is: the models say so themselves, no list has to be kept."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, SealedField):
                if not issubclass(model, TenantRow):
                    raise TypeError(f"{model._meta.label}.{field.name} is sealed, but its rows belong to nobody")
                yield model, field.name


def reseal(current: int) -> int:
    """Re-encrypt every sealed text of the organization in scope that is under an older key; return how many."""
    total = 0
    for _pass in range(PASSES):
        done = sum(_reseal_column(model, field) for model, field in sealed_fields())
        total += done
        if not _left(current):
            break
        if not done:
            time.sleep(PAUSE_S)
    return total


def _reseal_column(model: type[models.Model], field: str) -> int:
    total, last = 0, None
    while True:
        with atomic():
            # The stream lock first: our audit entry needs it, and whoever holds it may wait for a row that we hold.
            _lock_stream()
            current = data_keys.current_key()
            keys = _keys()
            rows = _under_older_keys(model, field, current.version).order_by("pk")
            if last is not None:
                rows = rows.filter(pk__gt=last)
            page = list(rows.select_for_update(skip_locked=True).values_list("pk", field)[:BATCH])
            done = 0
            for pk, text in page:
                fresh = _resealed(text, current, keys)
                if fresh is not None:
                    done += model._base_manager.filter(pk=pk).update(**{field: fresh})
            if done:
                label = f"{model._meta.label_lower}.{field}"
                audit.record("vault.resealed", label, version=current.version, count=done)
        if not page:
            return total
        total, last = total + done, page[-1][0]


def _resealed(text: str, current: data_keys.CurrentKey, keys: dict[int, Fernet]) -> str | None:
    """Re-encrypt a text as it is; None for one that its key does not open: it stays, and so does the key."""
    try:
        version, token = data_keys.split(text)
        fresh = MultiFernet([current.fernet, keys[version]]).rotate(token).decode("ascii")
    except (data_keys.Sealed, KeyError, InvalidToken):
        return None
    return f"{FORMAT}:{current.version}:{fresh}"


def delete_retired(*, grace: timedelta) -> int:
    """Delete the retired keys of the organization in scope under which nothing is left; return how many."""
    due = DataKey.objects.filter(retired_at__lte=timezone.now() - grace)
    with atomic():
        waiting = set(due.values_list("pk", flat=True))
    deleted = 0
    for pk in waiting:
        for _attempt in range(PASSES):
            outcome = _delete_if_unused(pk)
            if outcome is not None:
                deleted += outcome
                break
            time.sleep(PAUSE_S)
    return deleted


def _delete_if_unused(pk: UUID) -> bool | None:
    """Delete one retired key unless a text needs it; None while a writer who sealed with it has not committed."""
    with atomic():
        _lock_stream()
        # Refused while anybody holds the key for sealing. Once it is ours, all that they sealed is there to be seen.
        key = DataKey.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
        if key is None:
            return None if DataKey.objects.filter(pk=pk).exists() else False
        for model, field in sealed_fields():
            if _texts(model).filter(**{f"{field}__startswith": f"{FORMAT}:{key.version}:"}).exists():
                return False
        key.delete()
        audit.record("vault.key_deleted", key_subject(key.version))
        return True


def _new_version() -> int:
    """Retire the current key and make the next one."""
    with atomic():
        _lock_stream()
        before = DataKey.objects.select_for_update(no_key=True).get(retired_at=None)
        before.retired_at = timezone.now()
        before.save(update_fields=["retired_at"])
        version: int = before.version + 1
        DataKey.objects.create(version=version, wrapped=data_keys.new_wrapped_key())
        audit.record("vault.key_created", key_subject(version))
    return version


def key_subject(version: int) -> str:
    return f"datakey:{version}"


def _current_version() -> int | None:
    with atomic():
        version: int | None = DataKey.objects.filter(retired_at=None).values_list("version", flat=True).first()
    return version


def _left(current: int) -> int:
    """Count the organization's sealed texts that are not under the current key."""
    with atomic():
        return sum(_under_older_keys(model, field, current).count() for model, field in sealed_fields())


def _under_older_keys(model: type[models.Model], field: str, current: int) -> models.QuerySet[Any]:
    is_sealed, is_fresh = {f"{field}__isnull": False}, {f"{field}__startswith": f"{FORMAT}:{current}:"}
    return _texts(model).filter(**is_sealed).exclude(**is_fresh)


def _texts(model: type[models.Model]) -> models.QuerySet[Any]:
    # The base manager: a model's own may hide rows, and hidden secrets need their keys as well.
    return model._base_manager.filter(organization_id=scopes.organization())


def _keys() -> dict[int, Fernet]:
    """Open all data keys of the organization; one that no master key opens is left out."""
    rows = DataKey.objects.values_list("version", "wrapped")
    return {version: key for version, wrapped in rows if (key := data_keys.unwrap(wrapped)) is not None}


def _lock_stream() -> None:
    with connections[scopes.current().alias].cursor() as cursor:
        cursor.execute("select accounts_stream_lock(%s)", [scopes.organization()])
