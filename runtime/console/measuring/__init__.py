"""A camera is measured: `judging` says what is wrong with a floor map while it is made, `pages` shows it."""
