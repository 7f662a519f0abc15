"""The pure engine: facts and a time go in, a decision comes out. No clock, no chance, no rows, no wire."""
