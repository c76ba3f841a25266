"""Identity across cameras on simulated shops: `visitors` makes them, `command` measures, `plot` draws."""
