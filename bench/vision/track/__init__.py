"""Tracks on labelled clips: the clips, other trackers on the same boxes, scores, customers who stand."""
