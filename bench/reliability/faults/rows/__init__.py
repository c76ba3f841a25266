"""The rows of `tagsight bench faults`, by what is struck."""
