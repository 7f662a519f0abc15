"""Metrics of closed trades and of an equity curve, for backtests, paper and live alike.

Amounts are Decimal, all in one currency: whoever puts accounts of several together has converted them before. Sums of
money are exact; what must be divided or rooted is carried to 50 digits and rounded only where it is shown.
"""
