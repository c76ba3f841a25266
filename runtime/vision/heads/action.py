"""Does this person handle goods? A probability a frame, for the matching of flips."""

from __future__ import annotations

from engines.inference.action import probabilities
from runtime.vision.heads.aggregation import Latest
from runtime.vision.heads.head import Head

HEAD = Head("action", task="action", decode=probabilities, aggregation=Latest, answers=1)
"""The store process weighs the probabilities over the time of a flip itself, so each frame's is sent."""
