"""Matching: what a venue makes of one account's orders, and the same functions for paper and for backtests.

Pure and exact: a book, a command or a price, and a time go in; the new book and what there is to tell come out.
"""
