"""Hostile input for parsers."""
