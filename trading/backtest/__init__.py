"""Backtests: the live functions over a market of the past, and what came of it. Pure: no rows, no clock, no wire."""
