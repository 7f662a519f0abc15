"""Passwords inside messages from strangers: blanked out wherever the message is shown, whoever looks.

Alerts are written for several products at once and carry what opens the others: a license, a secret, a passphrase.
A message need not be whole to be shown, so nothing here insists that it can be read; everything else stays as it came.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass, field

HIDDEN = "…"
Span = tuple[int, int]

_PARTS = ("secret", "passphrase", "password", "passwd", "passcode", "token", "credential", "authorization", "license",
          "licence", "privatekey")  # fmt: skip
_WHOLE = frozenset({"pass", "pwd", "pw", "pin", "otp", "auth", "bearer"})
# {"name": "secret", "value": "..."}, as in an embed, in either order
_NAMES, _VALUES = frozenset({"name", "key", "field"}), frozenset({"value", "content", "text"})

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)
_PAIR = re.compile(r"""([\w.\-]+)(["']?\s*[=:]\s*)("[^"\r\n]*"?|'[^'\r\n]*'?|[^,;&\r\n"']+)""")
_ADDRESS = re.compile(r"((?:hooks/+tv/+)|(?:\b(?:bearer|basic)\s+))[^/\s\"']+", re.IGNORECASE)
_FIRST_FIELD = re.compile(r"^([\ufeff \t]*)[^,=:{}\"\r\n]+(?=,)", re.MULTILINE)  # PineConnector: LicenseID,command,...
_LICENSE = re.compile(r"^(\s*)[A-Za-z0-9]{4,40}(?=\s*,\s*[A-Za-z]+\s*,)", re.MULTILINE)


def opens_something(name: str) -> bool:
    """Tell whether what is called so is probably a password, however its name is written."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKC", name).casefold() if letter.isalnum())
    return plain in _WHOLE or plain.endswith("key") or any(part in plain for part in _PARTS)


def masked(text: str) -> str:
    """Show a message without what opens a door: values by their names, a license at the head of a line."""
    if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return _without(text, _spans(text))
    return _FIRST_FIELD.sub(rf"\1{HIDDEN}", _pairs(text))


def _pairs(text: str) -> str:
    """Blank the values of `name=value` and `name: value`, and secrets that stand in addresses."""

    def hide(found: re.Match[str]) -> str:
        return f"{found[1]}{found[2]}{HIDDEN}" if opens_something(found[1]) else found[0]

    return _ADDRESS.sub(rf"\1{HIDDEN}", _PAIR.sub(hide, text))


def _without(text: str, spans: list[tuple[Span, str]]) -> str:
    shown, at = [], 0
    for (start, end), instead in sorted(spans):
        shown += [text[at:start], instead]
        at = end
    return "".join([*shown, text[at:]])


@dataclass(slots=True)
class _Frame:
    """An object or a list that is open: whether it lies under a name that hides, and where its parts stand."""

    is_hidden: bool
    is_object: bool = True
    name: str | None = None  # whose value comes next
    is_named: bool = False  # one of its texts says that another of them is a password
    values: list[Span] = field(default_factory=list)

    @property
    def takes_values(self) -> bool:
        return not self.is_object or (self.name or "").casefold() in _VALUES


def _spans(text: str) -> list[tuple[Span, str]]:
    """Find what is to be hidden in JSON, or in what was meant to be JSON, and what is shown in its place."""
    hidden: dict[Span, str] = {}
    stack = [_Frame(is_hidden=False)]
    tokens = list(_TOKEN.finditer(text))
    for place, token in enumerate(tokens):
        frame, mark, span = stack[-1], token[0], token.span()
        hides = frame.is_hidden or (frame.name is not None and opens_something(frame.name))
        if mark in "{[":
            stack.append(_Frame(is_hidden=hides, is_object=mark == "{"))
        elif mark in "}]":
            _close(stack, hidden)
        elif mark == ",":
            frame.name = None
        elif mark == ":":
            continue
        elif frame.name is None and frame.is_object and _is_name(tokens, place):
            frame.name = _said(mark)
        else:
            instead = _instead(mark, hides=hides)
            if instead != mark:
                hidden[span] = instead
            frame.values += [span] if frame.takes_values else []
            frame.is_named |= (frame.name or "").casefold() in _NAMES and opens_something(_said(mark))
    while len(stack) > 1:
        _close(stack, hidden)
    return list(hidden.items())


def _close(stack: list[_Frame], hidden: dict[Span, str]) -> None:
    if len(stack) == 1:
        return  # it closes what never began
    frame = stack.pop()
    if frame.is_named:
        hidden.update(dict.fromkeys(frame.values, HIDDEN))
    if stack[-1].takes_values:
        stack[-1].values += frame.values


def _is_name(tokens: list[re.Match[str]], place: int) -> bool:
    return place + 1 < len(tokens) and tokens[place + 1][0] == ":"


def _said(mark: str) -> str:
    """Read a text as it was meant: "s\\u0065cret" is a secret as well."""
    try:
        said = json.loads(mark, strict=False)
    except ValueError:
        return mark.strip('"')
    return said if isinstance(said, str) else mark


def _instead(mark: str, *, hides: bool) -> str:
    if not mark.startswith('"'):
        return HIDDEN if hides else mark
    if hides:
        return f'"{HIDDEN}"'
    said = _said(mark)
    inner = masked(said) if said.lstrip().startswith(("{", "[")) else _LICENSE.sub(rf"\1{HIDDEN}", _pairs(said))
    return mark if inner == said else json.dumps(inner, ensure_ascii=False)
