"""Doors: each reads the request, calls one deed, answers with a page or a redirect."""
