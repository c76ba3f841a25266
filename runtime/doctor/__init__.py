"""What this machine has and what is missing, in plain words, for `tagsight doctor`.

`findings` is what a check finds, and runs checks side by side, each with a time limit; `machine` checks the
machine itself, `store` at what one store's config names, `capacity` at how many cameras are carried (`speed`
measures that in a process of its own).
"""
