"""REST doors of this room; the lists that the integrations issue widens."""
