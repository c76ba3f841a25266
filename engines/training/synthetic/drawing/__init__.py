"""Triangles, patterns, the shop's fittings, and the renderer with its shaders and the camera's sensor."""
