"""A day in figures: `daybook` reads the events of a day, `figures` counts, `pages` shows."""
