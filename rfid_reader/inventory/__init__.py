"""Where tags hang: levels as they are read, places, the file that remembers them, and the command."""
