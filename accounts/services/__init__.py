"""Deeds: each checks the caller, writes rows, audit and event in that order, in the caller's transaction."""
