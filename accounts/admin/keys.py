"""API keys: everything about them but what opens a door."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.base import SECTION_ROWS, Deed, Link, RecordAdmin, Section, list_url, moment, record_url, when
from accounts.models import ApiKey
from accounts.services import staff


def state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return _("revoked")
    return _("usable") if key.is_usable else _("expired")


def section(keys: QuerySet[ApiKey], organization_id: object) -> Section:
    """Show the latest keys of an organization."""
    return Section(
        title=_("API keys"),
        headers=[_("Name"), _("Prefix"), _("Scopes"), _("State"), _("Last used")],
        rows=[
            (Link(key.name, record_url(key)), key.prefix, ", ".join(key.scopes), state(key), moment(key.last_used_at))
            for key in keys.order_by("-pk")[:SECTION_ROWS]
        ],
        empty=_("No key has been made."),
        more=Link(_("All keys"), list_url(ApiKey, organization_id=organization_id)),
    )


@admin.register(ApiKey)
class ApiKeyAdmin(RecordAdmin):
    """Keys of one organization."""

    list_display = ("name", "prefix", "allowed", "state", when("last_used_at", gettext_lazy("last used")))
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("prefix__startswith",)
    search_help_text = gettext_lazy("The beginning of the prefix")
    ordering = ("-pk",)
    deeds = (
        Deed(
            code="revoke",
            label=gettext_lazy("Revoke the key"),
            consequence=gettext_lazy("It stops working at once and for good. The owner is told by e-mail."),
            done=gettext_lazy("The key is revoked."),
            nothing=gettext_lazy("The key was revoked already. Nothing was changed."),
            act=lambda row, reason, typed: staff.revoke_key(row.organization_id, row.pk),
            is_open=lambda row: row.revoked_at is None,
        ),
    )

    @admin.display(description=gettext_lazy("scopes"))
    def allowed(self, row: ApiKey) -> str:
        return ", ".join(row.scopes)

    @admin.display(description=gettext_lazy("state"))
    def state(self, row: ApiKey) -> str:
        return state(row)

    def heading(self, row: ApiKey) -> str:
        return row.name

    def facts(self, row: ApiKey) -> list[tuple[str, Any]]:
        maker = row.created_by
        return [
            (_("Prefix"), row.prefix),
            (_("State"), state(row)),
            (_("Scopes"), ", ".join(row.scopes)),
            (_("Networks"), ", ".join(row.networks) or _("from everywhere")),
            (_("Made"), moment(row.created_at)),
            (_("By"), Link(maker.user.email, record_url(maker.user)) if maker else "—"),
            (_("Expires"), moment(row.expires_at)),
            (_("Revoked"), moment(row.revoked_at)),
            (_("Last used"), moment(row.last_used_at)),
            (_("From"), row.last_used_address or "—"),
        ]
