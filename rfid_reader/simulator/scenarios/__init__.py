"""Scenarios: `spec` (what a file may say), `checks`, `files` (reading them; those that ship lie here),
`random_stores`, and the command that lists them."""
