"""The two ends between the store process and those who look on: the console, and neighbours of the shop."""
