"""TradingView alerts in the four forms that people send them: our JSON, TradersPost JSON, PineConnector lines, embeds.

The form is found by what stands in the message, not by its Content-Type: TradingView sends application/json only when
the body is valid JSON, and a NaN from a chart is enough to make it text/plain. A placeholder that was never filled in
is refused by its name, because a literal {{close}} is a fault in the alert and no price.
"""

from __future__ import annotations

import re

from mikrobot_platform.kernel.decisions import Code, unreadable
from mikrobot_platform.kernel.reading import Fields, answered
from mikrobot_platform.kernel.signals import SignalDraft
from mikrobot_platform.kernel.strict_json import read_object
from trading.sources import Dialect, SourceContext, text_of
from trading.sources.tradingview import embeds, own, pine_connector, traders_post

NAME = "tradingview"

_PLACEHOLDER = re.compile(r"\{\{[^{}\"\r\n]{0,80}\}\}")
# What a chart prints where it has no value.
BLANK = frozenset({"", "nan", "na", "n/a", "null", "none", "undefined"})


class TradingView:
    """Reads one alert."""

    name = NAME

    @answered
    def parse(self, raw: bytes, *, context: SourceContext) -> SignalDraft:
        """Read one alert."""
        text = text_of(raw, context=context, dialect=NAME).strip(" \t\r\n")
        left = _PLACEHOLDER.search(text)
        if left:
            raise unreadable(Code.PLACEHOLDER, placeholder=left.group())
        if not text.startswith("{"):
            return pine_connector.read(text, context)
        message = read_object(text, limits=context.limits, allow_nan=True)
        fields = Fields(message, numbers_may_be_text=True, blank=BLANK)
        if "embeds" in message:
            return embeds.read(fields)
        match "symbol" in message, "ticker" in message:
            case True, False:
                return own.read(fields, context)
            case False, True:
                return traders_post.read(fields)
            case True, True:
                raise unreadable(Code.FIELD_CONTRADICTION, field="symbol", other="ticker")
            case _:
                raise unreadable(Code.DIALECT_UNKNOWN, dialect=NAME)


DIALECT: Dialect = TradingView()
