"""Video files as sources: `opening`, `playback`, `timestamps` (when frames were taken), `endings` (whole or
broken off)."""
