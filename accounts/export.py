"""Exports: an organization asks for its data, a job writes the zip (accounts/archive.py), the zip expires.

Its state is the row's. Two workers with the same message make one zip: the row is locked while it is made. Work that
stands still, because a message was lost, is found by `requeue_waiting`.
"""

from __future__ import annotations

import logging
import tempfile
from datetime import timedelta
from typing import IO
from uuid import UUID

from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.cache import cache
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from accounts import archive, audit, outbox
from accounts.access import Caller, Permission, Refused
from accounts.jobs import ORGANIZATION_HEADER, TRACE_HEADER
from accounts.models import DataExport, Organization
from accounts.tenancy import atomic, system_scope, tenant_scope
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.kernel.events import Event, EventName
from mikrobot_platform.kernel.trace import trace_id

log = logging.getLogger(__name__)

SCOPE = "organization.sweep"
TASK = "accounts.build_export"
STANDS_STILL = timedelta(minutes=5)
QUEUE_AGAIN_AFTER_S = 600
GIVE_UP = timedelta(hours=12)
State = DataExport.State


def request(caller: Caller) -> DataExport:
    """Ask for the organization's data; one request waits at a time."""
    caller.require(Permission.MANAGE_ORGANIZATION)
    # Two requests at once: one after the other.
    Organization.objects.select_for_update(no_key=True).get(pk=caller.organization_id)
    if DataExport.objects.filter(state=State.WAITING).exists():
        raise Refused("export_waiting", _("Your data is being gathered already; you get an e-mail when it is ready."))
    row: DataExport = DataExport.objects.create(
        organization_id=caller.organization_id, requested_by=caller.member(), requested_at=timezone.now()
    )
    audit.record("export.requested", row)
    outbox.publish(EventName.EXPORT_REQUESTED, export=str(row.pk))
    return row


def build(event: Event) -> None:
    """Queue the job once the news of the request is committed."""
    organization_id, export_id = event.organization_id, str(event.data["export"])
    trace = trace_id.get()
    transaction.on_commit(lambda: _queue(organization_id, export_id, trace), using=scopes.current().alias, robust=True)


def _queue(organization_id: UUID, export_id: str, trace: str = "") -> None:
    # By name, since tasks stand above; so the headers that a tenant task would take from the scope are given here.
    headers = {ORGANIZATION_HEADER: str(organization_id), TRACE_HEADER: trace}
    try:
        current_app.send_task(TASK, [export_id], headers=headers)
    except OperationalError:
        log.warning("the broker is not reachable; the export is queued by a later sweep")


def make(export_id: UUID) -> None:
    """Make the zip of a request that waits; say READY, or FAILED with a sentence. Doing it twice changes nothing."""
    row: DataExport | None = (
        DataExport.objects.select_for_update(skip_locked=True).filter(pk=export_id, state=State.WAITING).first()
    )
    if row is None:
        return
    name = f"{folder(row.organization_id)}/{row.pk}.zip"
    try:
        with atomic(), tempfile.TemporaryFile() as file:
            archive.write(file)
            row.size = file.tell()
            file.seek(0)
            default_storage.delete(name)  # what an earlier attempt left
            row.file = default_storage.save(name, File(file))
    except Exception as error:
        log.exception("an export failed")
        default_storage.delete(name)
        row.file, row.size = "", 0
        _finish(row, State.FAILED, error=_sentence(error))
    else:
        row.expires_at = timezone.now() + settings.EXPORT_AGE
        _finish(row, State.READY)
        outbox.publish(EventName.EXPORT_READY, export=str(row.pk))


def _finish(row: DataExport, state: DataExport.State, *, error: str = "") -> None:
    row.state, row.error, row.finished_at = state, error, timezone.now()
    row.save(update_fields=["state", "error", "finished_at", "file", "size", "expires_at"])
    audit.record(f"export.{state.value}", row, size=row.size)


def _sentence(error: Exception) -> str:
    """Say what a person can do about it; what went wrong inside stands in the log."""
    if isinstance(error, SoftTimeLimitExceeded):
        return _("There was too much to gather in one go. Please tell support; nothing is lost.")
    if isinstance(error, OSError):
        return _("The file could not be stored. Please try again later.")
    return _("Something went wrong while gathering your data. Please try again; support has been told.")


def open_file(export: DataExport) -> IO[bytes]:
    """Open a finished zip for download, which the trail notes; a missing or expired one is refused."""
    if export.state != State.READY or export.expires_at is None or export.expires_at <= timezone.now():
        raise Refused("export_gone", _("This file has expired. Ask for a new one."))
    try:
        file = default_storage.open(export.file, "rb")
    except FileNotFoundError:
        raise Refused("export_gone", _("This file is not there any more. Ask for a new one.")) from None
    audit.record("export.downloaded", export)
    return file


def requeue_waiting() -> int:
    """Queue again what has waited for long, and give up on what waits for good; return how many were queued."""
    now, queued = timezone.now(), 0
    with system_scope(SCOPE):
        waiting = DataExport.objects.filter(state=State.WAITING, requested_at__lt=now - STANDS_STILL)
        rows = list(waiting.order_by("pk").values_list("pk", "organization_id", "requested_at"))
    for pk, organization_id, requested_at in rows:
        if requested_at < now - GIVE_UP:
            with tenant_scope(organization_id), atomic():
                row = DataExport.objects.select_for_update(skip_locked=True).filter(pk=pk, state=State.WAITING).first()
                if row is not None:
                    _finish(row, State.FAILED, error=_("Your data could not be gathered in time. Please try again."))
        elif cache.add(f"export-queued:{pk}", 1, QUEUE_AGAIN_AFTER_S):
            _queue(organization_id, str(pk))
            queued += 1
    return queued


def forget_expired() -> int:
    """Delete the files whose time is over; return how many. The file goes first, so none is left without its row."""
    with system_scope(SCOPE):
        over = DataExport.objects.filter(state=State.READY, expires_at__lte=timezone.now())
        rows = list(over.order_by("pk").values_list("pk", "organization_id"))
    forgotten = 0
    for pk, organization_id in rows:
        with tenant_scope(organization_id), atomic():
            row = DataExport.objects.select_for_update(skip_locked=True).filter(pk=pk, state=State.READY).first()
            if row is not None:
                default_storage.delete(row.file)
                row.file, row.state = "", State.EXPIRED
                row.save(update_fields=["file", "state"])
                audit.record("export.expired", row)
                forgotten += 1
    return forgotten


def delete_files(organization_id: UUID) -> None:
    """Delete every file ever made for the organization, also one whose row was never written."""
    place = folder(organization_id)
    try:
        _folders, names = default_storage.listdir(place)
    except FileNotFoundError:
        return
    for name in names:
        default_storage.delete(f"{place}/{name}")
    default_storage.delete(place)


def folder(organization_id: UUID) -> str:
    return f"exports/{organization_id}"
