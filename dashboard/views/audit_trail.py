"""The organization's own audit trail: read, filter, take away, check."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.cache import cache
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts import audit_chain
from accounts.access import personal
from accounts.models import AuditEntry, Membership
from accounts.requests import HouseRequest
from accounts.tenancy import atomic, tenant_scope
from dashboard import words
from dashboard.queries.trail import with_names
from dashboard.views.doors import caller, in_organization, person

PAGE = 50
CHECK_AGAIN_S = 60  # a check reads every entry; one a minute and organization is plenty


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which entries are asked for; what makes no sense asks for all."""

    group: str = ""
    who: str = ""
    before: int | None = None

    @classmethod
    def of(cls, request: HouseRequest) -> Filter:
        group, who, before = (request.GET.get(name, "") for name in ("group", "who", "before"))
        try:
            who = str(UUID(who)) if who else ""
        except ValueError:
            who = ""
        return cls(
            group=group if group in words.GROUPS else "",
            who=who,
            before=int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None,
        )

    def query(self, before: int | None) -> str:
        given = {"group": self.group, "who": self.who, "before": before}
        return urlencode({name: value for name, value in given.items() if value})


@require_safe
@in_organization
def trail(request: HouseRequest) -> HttpResponse:
    """Show one page, newest first; pages go by sequence, so new entries do not shift them."""
    chosen = Filter.of(request)
    entries = AuditEntry.objects.order_by("-sequence")
    if chosen.group:
        entries = entries.filter(action__startswith=f"{chosen.group}.")
    if chosen.who:
        entries = entries.filter(actor_kind="user", actor_id=chosen.who)
    if chosen.before is not None:
        entries = entries.filter(sequence__lt=chosen.before)
    found = list(entries[: PAGE + 1])
    lines = with_names(found[:PAGE])
    newest = AuditEntry.objects.order_by("-sequence").values_list("sequence", flat=True).first() or 0
    return render(
        request,
        "pages/audit_trail.html",
        {
            "lines": lines,
            "chosen": chosen,
            "groups": words.GROUPS.items(),
            "total": newest,
            "people": [seat.user for seat in Membership.objects.select_related("user").order_by("joined_at")],
            "older": chosen.query(found[PAGE - 1].sequence) if len(found) > PAGE else "",
            "newest": chosen.query(None),
            "checked": cache.get(_check_key(request)),
        },
    )


def _check_key(request: HouseRequest) -> str:
    return f"audit-check:{caller(request).organization_id}"


@personal
@require_POST
@in_organization
def check(request: HouseRequest) -> HttpResponse:
    """Recompute the organization's chain now and say what came of it, with the position of a break."""
    if not cache.add(_check_key(request) + ":running", 1, CHECK_AGAIN_S):
        messages.info(request, _("The chain was checked less than a minute ago; the result stands below."))
        return redirect("audit_trail")
    breaks = audit_chain.verify(caller(request).organization_id)
    result = {"at": timezone.now(), "breaks": [(one.sequence, one.problem) for one in breaks]}
    cache.set(_check_key(request), result, 24 * 3600)
    if breaks:
        messages.error(
            request,
            ngettext(
                "The chain is broken at %(n)d entry. Tell support: this should be impossible.",
                "The chain is broken at %(n)d entries. Tell support: this should be impossible.",
                len(breaks),
            )
            % {"n": len(breaks)},
        )
    else:
        messages.success(request, _("Every entry was recomputed; the chain is whole."))
    return redirect("audit_trail")


@require_safe
@in_organization
def download(request: HouseRequest) -> StreamingHttpResponse:
    """Send the whole trail as CSV, with the hashes, so that it can be checked elsewhere."""
    organization_id, user_id = caller(request).organization_id, person(request).pk
    name = f"audit-trail-{timezone.localdate().isoformat()}.csv"
    return StreamingHttpResponse(
        _lines(organization_id, user_id),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


class _Line:
    """A file for csv.writer that keeps nothing: write() hands the line back."""

    def write(self, line: str) -> str:
        return line


def _lines(organization_id: UUID, user_id: UUID) -> Iterator[str]:
    """Read while sending: the request's own transaction is over by then, so the scope is entered again."""
    writer = csv.writer(_Line())
    with tenant_scope(organization_id, user_id=user_id), atomic():
        for row in audit_chain.rows_for_download():
            yield writer.writerow(row)  # what write() returned
