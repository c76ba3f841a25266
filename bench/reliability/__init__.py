"""What goes wrong in a shop, and what it costs: single faults, days of them, hostile input."""
