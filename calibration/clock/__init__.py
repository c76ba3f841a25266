"""The machine's time: `report` asks for it, `command` is `tagsight calibrate clock`."""
