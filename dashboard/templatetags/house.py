"""What templates say in one word: the current entry, a moment in the reader's zone, an amount, a browser."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms, template
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from dashboard import words

register = template.Library()
_FORMS = {"day": "j M Y", "second": "j M, H:i:s"}


def _is_here(context: template.Context, starts: tuple[str, ...]) -> bool:
    match = getattr(context.get("request"), "resolver_match", None)
    return bool(match and match.url_name and match.url_name.startswith(starts))


@register.simple_tag(takes_context=True)
def current(context: template.Context, *starts: str) -> SafeString:
    """Mark a link whose address has a name that begins with one of `starts`."""
    return mark_safe(' aria-current="page"') if _is_here(context, starts) else mark_safe("")


@register.simple_tag(takes_context=True)
def current_mark(context: template.Context, *starts: str) -> SafeString:
    """Mark the drawer that holds the current page."""
    return mark_safe(" data-here") if _is_here(context, starts) else mark_safe("")


@register.simple_tag
def when(value: datetime | None, form: str = "moment") -> SafeString:
    """Write a moment in the reader's zone, exact to the machine.

    `day` leaves the time away, `zone` names the zone, `second` leaves the year away and tells seconds.
    """
    if value is None:
        return mark_safe("")
    local = timezone.localtime(value)
    text = formats.date_format(local, _FORMS.get(form, "j M Y, H:i"))
    if form == "zone":
        text = f"{text} {local.tzname()}"
    title = f"{formats.date_format(local, 'j M Y, H:i:s')} {timezone.get_current_timezone_name()}"
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), title, text)


@register.simple_tag
def money(amount: Decimal | None, currency: str) -> str:
    """Write an amount with thousands, two decimals or as many as it has, and its currency."""
    if amount is None:
        return ""
    exponent = amount.normalize().as_tuple().exponent
    places = max(2, -exponent) if isinstance(exponent, int) else 2
    return f"{amount:,.{places}f} {currency}"


@register.filter
def kind(field: forms.BoundField) -> str:
    """Tell how a field is laid out: one box to tick, a group of choices, or a line."""
    widget = field.field.widget
    # allauth repeats every label as a placeholder, which vanishes under the first key stroke and says nothing new.
    widget.attrs.pop("placeholder", None)
    if isinstance(widget, forms.CheckboxSelectMultiple | forms.RadioSelect):
        return "group"
    return "check" if isinstance(widget, forms.CheckboxInput) else "line"


@register.filter
def label(field: forms.BoundField) -> str:
    return words.label(str(field.label))


@register.filter
def client(user_agent: str) -> str:
    """Name the browser and system behind a User-Agent, as far as it tells."""
    return words.client(user_agent)


@register.filter
def action(entry: Any) -> str:
    """Say what an audit entry records, in words."""
    return words.action(entry.action)


@register.filter
def scope_words(scopes: list[str]) -> str:
    return ", ".join(words.scope(scope) for scope in scopes) or _("nothing")


@register.filter
def source_kind(code: str) -> str:
    return words.source_kind(code)


@register.filter
def level_meaning(unit: str) -> str:
    return words.level_meaning(unit)


@register.filter
def venue_title(code: str) -> str:
    return words.venue(code)
