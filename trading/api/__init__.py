"""Doors for machines: hooks that sources knock at, and REST."""
