"""What frames and events cost on their way: ring, decoding, the camera path, outbox and broker."""
