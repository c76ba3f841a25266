"""What strikes: lost connections, torn writes, certificates of every kind."""
