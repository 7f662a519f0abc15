"""A second paper venue under a name of its own, for drills in which one venue hangs and another does not.

Whoever imports this knows it: the drill itself, and workers that were told to include it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from django.conf import settings

from mikrobot_platform.kernel import registry
from trading import quotes
from trading.brokers import paper

CODE: Final = "paper-two"
ADDRESS: Final = "SECOND_VENUE_URL"  # the variable that says where it is
VENUE = replace(paper.VENUE, code=CODE, title="Paper two")
BROKER = paper.BROKER


@contextmanager
def known_at(address: str) -> Iterator[None]:
    """Let this process find it, and nobody who comes after."""
    brokers, addresses = registry.BROKERS, settings.VENUE_URLS
    _open(address)
    try:
        yield
    finally:
        registry.BROKERS, settings.VENUE_URLS = brokers, addresses
        quotes.forget(CODE)


def _open(address: str) -> None:
    registry.BROKERS = {**registry.BROKERS, CODE: f"{__name__}:VENUE"}
    settings.VENUE_URLS = {**settings.VENUE_URLS, CODE: address}


if ADDRESS in os.environ:
    _open(os.environ[ADDRESS])
