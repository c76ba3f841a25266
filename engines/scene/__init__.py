"""A staged shop, described in one file and known exactly.

- `spec`: what a scene file may say; `reading` reads one, `checks` refuses what cannot be staged;
- `courses`: where each person, each foot and each hand is at a moment;
- `optics`: what a camera sees where, and where it is at a moment;
- `truth`: who came in, who stood where, who handled which garment.

Nothing here draws a picture or simulates a radio: the renderer and the simulated reader each read the same
scene, so that pixels and tag reads have one truth. Floor metres: x to the right, y away from the front wall,
z up.
"""
