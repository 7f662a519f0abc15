"""The paper venue: a venue apart, in its own process, with its own ledger, reached over a socket only.

It knows nothing of signals, accounts or tenants of ours, and it does not look at client ids twice: whoever sends an
order twice gets two, and `count` shows it.
"""
