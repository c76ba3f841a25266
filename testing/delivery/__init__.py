"""From the box to the cloud: devices, daemon and receiver for trials, and accounts of their events."""
