"""Cameras on loopback: a real RTSP server, and fakes that misbehave at wire level."""
