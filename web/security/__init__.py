"""Who may look and who may change: files of secrets, users, sessions, tokens, limits, certificates."""
