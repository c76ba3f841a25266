"""The whole path on films of staged scenes, without processes and faster than time: `films` looks at the
pictures once, `replay` goes from there to facts, `command` holds them against the scene."""
