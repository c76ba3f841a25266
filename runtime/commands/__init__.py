"""The subcommands of `tagsight` that belong to the daemon itself; other rooms bring their own."""
