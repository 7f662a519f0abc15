"""Sources of an organization: make, set up, exchange the secret, switch off and on, remove. A secret is shown once.

Two kinds stand behind doors of their own and are made by whoever first needs them: programs with an API key (`rest`)
and tickets (`manual`). Sources that read a file belong to operators: nobody else may make the server look at its disk.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import available_timezones

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Caller, Permission, Refused
from accounts.services.keys import clean_networks
from accounts.services.organizations import clean_name
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.kernel.signals import SCALES, LevelUnit
from trading import connections
from trading.ledger import ledger_of
from trading.models import Source, SourceSecret
from trading.models.sources import hold

SIGNED, ADDRESSED = "ea_push", "tradingview"
KINDS = (SIGNED, ADDRESSED)  # what customers make themselves
BUILT_IN = {"rest": "REST API", "manual": "Tickets"}
MAX_SOURCES = 50
MAX_NETWORKS = 20
PER_MINUTE = range(1, 601)
OVERLAP = timedelta(hours=24)  # how long the old secret still counts after an exchange, unless it is ended before
MAX_SHIFT_S = 14 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a source is read, and from where and how often it may send. The defaults are those of a new source."""

    name: str
    per_minute: int = 60
    networks: Collection[str] = field(default_factory=tuple)
    levels: str = LevelUnit.UNKNOWN.value
    power_scale: str = "percent"
    confluence_scale: str = "L0-L4"
    confidence_scale: str = "C1-C3"
    clock_zone: str = ""
    clock_shift_s: int = 0


def make(caller: Caller, kind: str, setup: Setup) -> tuple[Source, str]:
    """Make a source; its secret is returned here and nowhere else, ever again."""
    caller.require(Permission.MANAGE_SOURCES)
    caller.member()
    if kind not in KINDS:
        raise Refused("kind_invalid", _("Choose an Expert Advisor that pushes, or TradingView."))
    hold_names(caller.organization_id)
    if _standing(caller.organization_id).count() >= MAX_SOURCES:
        raise Refused("too_many_sources", _("%(limit)s sources are the limit.") % {"limit": MAX_SOURCES})
    source = Source(id=new_id(), organization_id=caller.organization_id, kind=kind)
    set_up(source, setup)
    source.save(force_insert=True)
    text = new_secret(source)
    audit.record("source.made", source, kind=kind)
    return source, text


def change(caller: Caller, source_id: UUID, setup: Setup) -> Source:
    """Set a source up anew; what it sent before stays as it was read."""
    source = _own(caller, source_id)
    before = {name: getattr(source, name) for name in _COLUMNS}
    set_up(source, setup)
    changed = sorted(name for name, value in before.items() if value != getattr(source, name))
    if changed:
        if "clock_zone" in changed or "clock_shift_s" in changed:
            source.clock_offset_s = None  # what was learnt is compared with what is declared now
            changed.append("clock_offset_s")
        source.save(update_fields=changed)
        audit.record("source.changed", source, fields=changed)
    return source


def switch(caller: Caller, source_id: UUID, *, is_on: bool) -> Source:
    """Let a source send, or turn everything away that it sends from now on."""
    source = _own(caller, source_id)
    if source.is_enabled != is_on:
        source.is_enabled = is_on
        source.save(update_fields=["is_enabled"])
        audit.record("source.switched_on" if is_on else "source.switched_off", source)
    return source


def remove(caller: Caller, source_id: UUID) -> Source:
    """Take a source away that is off: its secrets end and its name is free; what it sent can still be read.

    Those that are made by whoever first needs them cannot go: the next message would make them anew, and switched on.
    """
    source = _own(caller, source_id)
    if source.kind not in KINDS:
        raise Refused("source_built_in", _("This source cannot be removed. It can be switched off."))
    if source.is_enabled:
        raise Refused("source_on", _("Switch the source off before you remove it."))
    source.removed_at = timezone.now()
    source.save(update_fields=["removed_at"])
    SourceSecret.objects.filter(source=source).delete()
    audit.record("source.removed", source, kind=source.kind, name=source.name)
    return source


def exchange_secret(caller: Caller, source_id: UUID, *, overlap: timedelta = OVERLAP) -> tuple[Source, str]:
    """Make a new secret, shown once. The one before counts for as long as `overlap` says, older ones no more."""
    source = _own(caller, source_id)
    if source.kind not in KINDS:
        raise Refused("no_secret", _("This source has no secret of its own."))
    ends_at = timezone.now() + overlap
    supersede(source, ends_at)
    text = new_secret(source)
    audit.record("source.secret_exchanged", source, old_ends_at=ends_at.isoformat())
    return source, text


def end_old_secrets(caller: Caller, source_id: UUID) -> Source:
    """End at once whatever secret was there before the newest one."""
    source = _own(caller, source_id)
    ended, _rows = SourceSecret.objects.filter(source=source, ends_at__isnull=False).delete()
    if ended:
        audit.record("source.old_secret_ended", source)
    return source


def secrets_of(source: Source, *, now: datetime) -> Sequence[SourceSecret]:
    """List the secrets that count now, the newest first; nothing about them can be shown but their dates."""
    live = Q(ends_at=None) | Q(ends_at__gt=now)
    return list(SourceSecret.objects.filter(live, source=source).defer("sealed", "digest").order_by("-created_at"))


def built_in(organization_id: UUID, kind: str) -> Source:
    """Return the one source that an organization has for its programs or for its tickets; make it when it is missing.

    It is made in the ledger's own transaction: the message that needs it is kept there, and would not see one that
    the caller has not committed.
    """
    mine = {"organization_id": organization_id, "kind": kind}
    with ledger_of(organization_id):
        source: Source | None = Source.objects.filter(**mine).first()
        if source is None:
            hold_names(organization_id)
            source = Source.objects.filter(**mine).first()
        if source is None:
            source = Source(**mine, name=_free_variant(organization_id, BUILT_IN[kind]))
            source.levels = LevelUnit.PRICE.value
            source.save(force_insert=True)
            audit.record("source.made", source, kind=kind)
    return source


# --- checks -----------------------------------------------------------------------------------------------------------
_COLUMNS = (
    "name", "per_minute", "networks", "levels", "power_scale", "confluence_scale", "confidence_scale", "clock_zone",
    "clock_shift_s",
)  # fmt: skip


def set_up(source: Source, setup: Setup) -> None:
    """Take a set-up over, or refuse what has no sense."""
    source.name = _free_name(source, setup.name)
    if setup.per_minute not in PER_MINUTE:
        limits = {"low": PER_MINUTE.start, "high": PER_MINUTE.stop - 1}
        raise Refused("rate_invalid", _("Between %(low)s and %(high)s messages a minute.") % limits)
    source.per_minute = setup.per_minute
    if len(setup.networks) > MAX_NETWORKS:
        raise Refused("network_invalid", _("%(limit)s addresses are the limit.") % {"limit": MAX_NETWORKS})
    source.networks = clean_networks(setup.networks)
    if setup.levels not in {unit.value for unit in LevelUnit}:
        raise Refused("levels_invalid", _("Choose what a bare stop or target means."))
    source.levels = setup.levels
    for name in ("power_scale", "confluence_scale", "confidence_scale"):
        if getattr(setup, name) not in SCALES:
            raise Refused("scale_invalid", _("Choose one of the known scales."))
        setattr(source, name, getattr(setup, name))
    if setup.clock_zone and setup.clock_zone not in available_timezones():
        raise Refused("zone_invalid", _("“%(zone)s” is not a time zone.") % {"zone": setup.clock_zone})
    if (
        abs(setup.clock_shift_s) > MAX_SHIFT_S
        or setup.clock_shift_s % 900
        or (setup.clock_shift_s and not setup.clock_zone)
    ):
        raise Refused("shift_invalid", _("A shift is a number of quarter hours, at most 14 hours, beside a time zone."))
    source.clock_zone, source.clock_shift_s = setup.clock_zone, setup.clock_shift_s


def _standing(organization_id: UUID) -> QuerySet[Source]:
    """Look among an organization's own sources, without those that it removed."""
    return Source.objects.filter(organization_id=organization_id, removed_at=None)


def hold_names(organization_id: UUID) -> None:
    """Let nobody else make or name a source: of two at once the second sees what the first has taken."""
    hold(organization_id, "names")


def _free_name(source: Source, text: str) -> str:
    name = clean_name(text)
    if len(name) > 80:
        raise Refused("name_invalid", _("A name has 1 to 80 characters."))
    hold_names(source.organization_id)
    if _standing(source.organization_id).filter(name=name).exclude(pk=source.pk).exists():
        raise Refused("name_taken", _("There is a source called “%(name)s” already.") % {"name": name})
    return name


def _free_variant(organization_id: UUID, name: str) -> str:
    """Find a name that nobody has: a program's signal does not fail for want of one."""
    taken = set(_standing(organization_id).values_list("name", flat=True))
    return next(
        one for one in (name, *(f"{name} ({number})" for number in range(2, len(taken) + 3))) if one not in taken
    )


def supersede(source: Source, ends_at: datetime) -> None:
    """Give the newest secret an end, and end those before it now."""
    standing = SourceSecret.objects.filter(source=source).order_by("-created_at", "-pk")
    newest = standing.first()
    standing.exclude(pk=newest.pk if newest else None).delete()
    if newest is not None:
        newest.ends_at = ends_at if newest.ends_at is None else min(newest.ends_at, ends_at)
        newest.save(update_fields=["ends_at"])


def new_secret(source: Source) -> str:
    """Make the source's newest secret and return its text."""
    row, text = (
        SourceSecret(id=new_id(), organization_id=source.organization_id, source=source),
        connections.make_text(),
    )
    if source.kind == SIGNED:
        connections.seal(row, text)
    else:
        row.digest = connections.digest(text)
    row.save(force_insert=True)
    return text


def _own(caller: Caller, source_id: UUID) -> Source:
    caller.require(Permission.MANAGE_SOURCES)
    caller.member()
    source: Source | None = _standing(caller.organization_id).select_for_update().filter(pk=source_id).first()
    if source is None:
        raise Refused("source_unknown", _("There is no such source."))
    return source
