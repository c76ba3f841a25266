"""Flip detectors on simulated stores that no training saw, and on real reads."""
