"""RFID, as the pages show it: `antennas` keeps the last minutes and judges them, `pages` shows them."""
