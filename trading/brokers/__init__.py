"""Venues, one file each: a card (VenueInfo) now, the adapter Protocol and its contract suite with the order story."""
