"""Messages to rehearse with: real ones, every way of spoiling them, and what must become of each.

For the drills and the tests alone; a service that imports this is refused by the contracts."""
