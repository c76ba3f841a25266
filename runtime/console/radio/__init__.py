"""RFID, as the pages show it: `hearing` keeps the last minutes and judges them, `pages` shows them."""
