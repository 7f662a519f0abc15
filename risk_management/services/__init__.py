"""Deeds and reads of risk management. Writing for a shard of many organizations happens in the scope `gate.decide`."""

SCOPE = "gate.decide"
