"""Our own protocol for EAs (trading/clients/PROTOCOL.md): a signed envelope around the same four phases.

The envelope is judged first (`verify`), then the body is parsed; what comes again is known by its nonce and its number
(trading/engine/replay.py).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mikrobot_platform.kernel.decisions import Code, Refusal, refusal, unreadable
from mikrobot_platform.kernel.reading import Fields, answered
from mikrobot_platform.kernel.signals import Level, LevelUnit, SignalDraft, aware_utc
from mikrobot_platform.kernel.strict_json import read_object
from trading.engine import four_phase
from trading.engine.replay import WINDOW_S
from trading.sources import Dialect, SourceContext, text_of

NAME = "ea_push"
PROTOCOL = "mikrobot-ea/1"

HEADER_TIMESTAMP = "X-Mikrobot-Timestamp"
HEADER_NONCE = "X-Mikrobot-Nonce"
HEADER_SIGNATURE = "X-Mikrobot-Signature"

MAX_SEQUENCE = 2**53 - 1  # what every JSON reader keeps exact

_TIMESTAMP = re.compile(r"[0-9]{10}")
_NONCE = re.compile(r"[A-Za-z0-9_\-]{16,64}")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")


# The envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The three headers of a message, as they came."""

    timestamp: str
    nonce: str
    signature: str

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Envelope:
        """Take the headers whatever their case; one that is missing is empty."""
        found = {name.lower(): value for name, value in headers.items()}
        return cls(
            timestamp=found.get(HEADER_TIMESTAMP.lower(), ""),
            nonce=found.get(HEADER_NONCE.lower(), ""),
            signature=found.get(HEADER_SIGNATURE.lower(), ""),
        )


def sign(secret: bytes, *, timestamp: str, nonce: str, body: bytes) -> str:
    """Return HMAC-SHA256 over timestamp "." nonce "." body, in lower-case hexadecimal."""
    return hmac.new(secret, b".".join((timestamp.encode(), nonce.encode(), body)), hashlib.sha256).hexdigest()


def verify(
    envelope: Envelope, body: bytes, *, secrets: Sequence[bytes], now: datetime, window_s: int = WINDOW_S
) -> Refusal | None:
    """Say whether the message is from whoever holds one of the secrets, now; None means yes.

    Every secret is tried in full whichever fits, headers of a wrong form are compared against as well, and the clock is
    looked at last: the time it takes tells a stranger nothing, and neither does the answer.
    """
    is_formed = bool(
        _TIMESTAMP.fullmatch(envelope.timestamp)
        and _NONCE.fullmatch(envelope.nonce)
        and _SIGNATURE.fullmatch(envelope.signature)
    )
    given = envelope if is_formed else Envelope(timestamp="0" * 10, nonce="0" * 16, signature="0" * 64)
    fits = False
    for secret in secrets:
        expected = sign(secret, timestamp=given.timestamp, nonce=given.nonce, body=body)
        fits |= hmac.compare_digest(expected, given.signature)
    if not (envelope.timestamp and envelope.nonce and envelope.signature):
        return refusal(Code.SIGNATURE_MISSING)
    if not is_formed or not fits:
        return refusal(Code.SIGNATURE_WRONG)
    if abs(int(envelope.timestamp) - int(now.timestamp())) > window_s:
        return refusal(Code.CLOCK_OUTSIDE_WINDOW, window_s=window_s, timestamp=envelope.timestamp, now=now)
    return None


# The body

_BODY = ("protocol", "source", "stream", "sequence", "id", "kind", "clock", "client", "account", "broker", "quote",
         "order", "signal")  # fmt: skip
_ORDER = ("entry", "stop", "targets")


class EaPush:
    """Reads the body of a message whose envelope was found good."""

    name = NAME

    @answered
    def parse(self, raw: bytes, *, context: SourceContext) -> SignalDraft:
        """Read one body."""
        message = read_object(text_of(raw, context=context, dialect=NAME), limits=context.limits)
        fields = Fields(message)
        fields.only(*_BODY)
        fields.constant("protocol", PROTOCOL)
        if fields.text("source", limit=64) != context.source:
            raise unreadable(Code.SOURCE_MISMATCH)
        for name in ("stream", "id"):
            fields.text(name, limit=64)
        kind = fields.text("kind", limit=20)
        sequence = fields.whole("sequence", low=1, high=MAX_SEQUENCE)
        server, utc = _clock(fields)
        if kind == "heartbeat":
            raise unreadable(
                Code.HEARTBEAT, stream=fields.identifier("stream"), sequence=sequence, server=server, utc=utc
            )
        if kind != "signal":
            raise unreadable(Code.FIELD_VALUE, field="kind", expected="signal or heartbeat", value=kind)
        draft = four_phase.read(fields.within("signal"), dialect=f"{NAME}/1", is_printed=True)
        return _with_order(
            fields,
            replace(
                draft,
                id=fields.identifier("id"),
                sequence=sequence,
                said_at=utc,
                account=fields.loose_text("account", limit=40),
                extras=(
                    *draft.extras,
                    ("stream", fields.identifier("stream")),
                    ("stamp", fields.within("signal").text("timestamp", limit=40)),
                    ("server_time", server),
                    ("broker", fields.optional_text("broker", limit=80)),
                    ("client", fields.optional_text("client", limit=40)),
                ),
            ),
        )


DIALECT: Dialect = EaPush()


def _clock(fields: Fields) -> tuple[str, datetime]:
    """Read when the client made the message: on its broker's clock, and in UTC by the computer's own."""
    clock = fields.within("clock")
    clock.only("server", "utc")
    server = four_phase.stamp(clock, "server").text
    utc = aware_utc(clock.text("utc", limit=40))
    if utc is None or utc < datetime(2000, 1, 1, tzinfo=UTC):
        raise unreadable(Code.STAMP_MALFORMED, field="clock.utc", value=clock.text("utc", limit=40))
    return server, utc


def _with_order(fields: Fields, draft: SignalDraft) -> SignalDraft:
    """Add what the client may know beyond the EA's object: the quote it saw, and an order's levels as prices."""
    if fields.has("quote"):
        quote = fields.within("quote")
        quote.only("bid", "ask", "digits", "point")
        draft = replace(draft, bid=quote.price("bid"), ask=quote.price("ask"))
    if fields.has("order"):
        order = fields.within("order")
        order.only(*_ORDER)
        stop = order.optional_price("stop")
        draft = replace(
            draft,
            entry=order.optional_price("entry"),
            stop=Level(value=stop, unit=LevelUnit.PRICE) if stop is not None else None,
            targets=tuple(Level(value=price, unit=LevelUnit.PRICE) for price in order.prices("targets")),
        )
    return draft
