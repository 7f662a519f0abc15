"""The audit trail with names put to who did it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.models import AuditEntry, User
from dashboard import words

# What an entry's data may say on the page; the rest stays in the download.
_SHOWN = ("role", "kind", "venue", "prefix", "method", "version", "purpose", "note", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An entry of the trail with the name of who did it."""

    entry: AuditEntry
    who: str
    about: str


def with_names(entries: Iterable[AuditEntry]) -> list[Line]:
    """Put names to actors and to people who are spoken of, with one query however many lines there are."""
    rows = list(entries)
    wanted = {row.actor_id for row in rows if row.actor_kind == "user"}
    wanted |= {str(row.data[key]) for row in rows for key in ("user", "after", "owner") if key in row.data}
    people = {str(user.pk): user for user in User.objects.filter(pk__in=_ids(wanted)).only("id", "email", "name")}
    return [Line(entry=row, who=_who(row, people), about=_about(row, people)) for row in rows]


def _ids(texts: Iterable[str]) -> list[UUID]:
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found


def _who(row: AuditEntry, people: dict[str, User]) -> str:
    if row.actor_kind == "user":
        user = people.get(row.actor_id)
        return user.get_short_name() if user else (_("A person who is gone") if row.actor_id else _("A visitor"))
    if row.actor_kind == "key":
        return _("API key %(prefix)s") % {"prefix": row.actor_id}
    if row.actor_kind == "source":
        return _("A sender")
    return _("MikroBot staff") if row.actor_kind == "staff" else "MikroBot"


def _about(row: AuditEntry, people: dict[str, User]) -> str:
    """Say what the entry's own data adds: names before and after, roles, whose seat."""
    data = row.data
    parts = []
    person = people.get(str(data.get("user", data.get("owner", ""))))
    if person is not None and str(person.pk) != row.actor_id:
        parts.append(person.get_short_name())
    before, after = str(data.get("before", "")), str(data.get("after", ""))
    if before in people or after in people:
        after_person = people.get(after)
        parts.append(after_person.get_short_name() if after_person else after)
    elif before and after:
        parts.append(f"{before} → {after}")
    if data.get("factor"):
        parts.append(words.factor(str(data["factor"])))
    if row.action == "signal.turned_away":
        parts.append(words.turned_away(str(data.get("code", ""))))
    if row.action == "source.made":
        return words.source_kind(str(data.get("kind", "")))
    parts += [str(data[key]) for key in _SHOWN if data.get(key)]
    return " · ".join(parts)
