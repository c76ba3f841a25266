"""Persons in frames: detection, tracking on the floor, drawing."""
