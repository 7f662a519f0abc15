"""A line of the catalogue: a specification and where its figures come from."""

from __future__ import annotations

from dataclasses import dataclass

from mikrobot_platform.kernel.instruments import InstrumentSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known of an instrument before a venue has been asked."""

    spec: InstrumentSpec
    source: str


# Margin on retail contracts for difference, as a share of the notional value: ESMA Decision (EU) 2018/796, Annex I,
# which the national authorities have kept.
ESMA_MAJOR_FOREX = "0.0333"
ESMA_OTHER_FOREX = "0.05"  # also gold and the major indices
ESMA_COMMODITY = "0.10"  # also the other indices
ESMA_SHARE = "0.20"  # and whatever is named nowhere else
ESMA_CRYPTO = "0.50"
