"""What a camera delivers: `report` watches a source for a while, `command` is `tagsight calibrate camera`."""
