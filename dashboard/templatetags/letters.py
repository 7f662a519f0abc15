"""E-mails in two forms from one text: the HTML twin is made from the plain text, so the two never disagree.

In the text, a line that ends with a colon, followed by a line that is an address of ours alone, is a button; a line
"--" begins the part that says who sends this and why.
"""

from __future__ import annotations

import re

from django import template
from django.conf import settings
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

_ADDRESS = re.compile(r"(https?://\S+)")
_BREAK = mark_safe("<br>\n")
_NOTHING = mark_safe("")
_RULE = "\n--\n"


@register.filter
def twin(text: str) -> SafeString:
    """Turn a letter's plain text into paragraphs, buttons and a quiet foot."""
    # A new str: what a template rendered counts as safe, and here it is plain text.
    plain = "".join(str(text)).strip().replace("\r\n", "\n")
    body, _rule, foot = plain.partition(_RULE)
    parts = [_paragraph(part.strip()) for part in re.split(r"\n\s*\n", body.strip()) if part.strip()]
    if foot.strip():
        parts.append(format_html('<p class="foot">{}</p>', _lines(foot.strip().split("\n"))))
    return format_html_join("\n", "{}", ((part,) for part in parts))


def _paragraph(text: str) -> SafeString:
    lines = [line.strip() for line in text.split("\n")]
    if len(lines) >= 2 and lines[-2].endswith(":") and _ADDRESS.fullmatch(lines[-1]) and _is_ours(lines[-1]):
        label, address = lines[-2].rstrip(":"), lines[-1]
        before = format_html("<p>{}</p>", _lines(lines[:-2])) if lines[:-2] else _NOTHING
        shape = '{}<p><a class="button" href="{}">{}</a><br><span class="dim">{}</span></p>'
        return format_html(shape, before, address, label, address)
    return format_html("<p>{}</p>", _lines(lines))


def _lines(lines: list[str]) -> SafeString:
    return format_html_join(_BREAK, "{}", ((_linked(line),) for line in lines))


def _linked(line: str) -> SafeString:
    """Escape the line; an address of ours in it becomes a link, one that somebody typed stays text."""
    parts = _ADDRESS.split(line)  # text, address, text, ...
    return format_html_join(
        "", "{}", ((format_html('<a href="{}">{}</a>', part, part) if _is_ours(part) else part,) for part in parts)
    )


def _is_ours(text: str) -> bool:
    return text.startswith(f"{settings.SITE_URL}/")
