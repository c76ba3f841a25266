"""Garments turned on request: `trials` finds the threshold, `command` is `tagsight calibrate flips`."""
