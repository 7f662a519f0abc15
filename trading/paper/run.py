"""The venue's process: read the options, take the ledger, serve until asked to stop."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from mikrobot_platform.kernel.money import currency
from mikrobot_platform.kernel.undisturbed import settle
from trading.engine.matching.terms import Terms
from trading.paper.admin import Clock
from trading.paper.ledger import Ledger, Taken
from trading.paper.prices import Prices
from trading.paper.server import Server, serve
from trading.paper.venue import Venue

ADMIN_TOKEN = "PAPER_VENUE_ADMIN_TOKEN"  # noqa: S105 - the name of the variable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--balance", type=Decimal, default=Decimal(100_000), help="of an account opened at sign-in")
    parser.add_argument("--currency", default="USD", help="of an account opened at sign-in")
    parser.add_argument("--seed", type=int, default=1, help="of prices and slippage")
    parser.add_argument("--latency-ms", type=int, default=0, help="how long each request is on its way")
    parser.add_argument("--tick-ms", type=int, default=1000, help="how often prices move")
    parser.add_argument("--still", action="store_true", help="prices stay where they begin or are set")
    parser.add_argument("--clock", type=datetime.fromisoformat, help="when the venue's time begins; now")


def main(arguments: list[str]) -> int:
    """Parse, run, answer the exit code."""
    parser = argparse.ArgumentParser(prog="python -m trading.paper", description="Run the paper venue.")
    parser.add_argument("--address", required=True, help="unix:///path or tcp://127.0.0.1:port")
    parser.add_argument("--folder", type=Path, required=True, help="where its ledger lies")
    add_arguments(parser)
    return run(parser.parse_args(arguments), admin_token=os.environ.get(ADMIN_TOKEN, ""))


def run(options: argparse.Namespace, *, admin_token: str, alive: Callable[[], None] | None = None) -> int:
    """Take the ledger and serve; `alive` is called every few seconds."""
    try:
        ledger = Ledger(options.folder)
    except Taken as taken:
        sys.stderr.write(f"{taken}\n")
        return 1
    clock = Clock(options.clock)
    prices = Prices(options.seed, is_still=options.still)
    prices.advance(clock.now())
    terms = Terms(currency=currency(options.currency), seed=options.seed)
    venue = Venue(ledger, prices, balance=options.balance, terms=terms)
    server = Server(ledger, prices, venue, clock, admin_token=admin_token)
    server.latency_ms[""] = options.latency_ms
    # Books are values without cycles: looking for some among a million of them stalls everybody for nothing.
    settle()
    try:
        asyncio.run(_serve(server, options.address, options.tick_ms, alive))
    finally:
        ledger.close()
    return 0


ALIVE_S = 5


async def _serve(server: Server, address: str, tick_ms: int, alive: Callable[[], None] | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if address.startswith("unix://"):
        Path(address.removeprefix("unix://")).unlink(missing_ok=True)  # what a killed one left; the ledger is ours
    signs = asyncio.create_task(_give_signs(alive)) if alive else None
    await serve(server, address, tick_ms=tick_ms, ready=_say_ready, stop=stop)
    if signs:
        signs.cancel()


def _say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


async def _give_signs(alive: Callable[[], None]) -> None:
    while True:
        await asyncio.to_thread(alive)
        await asyncio.sleep(ALIVE_S)
