"""Read models: rows as pages need them, one file a noun; each page has a budget of queries (query_budgets.json)."""
