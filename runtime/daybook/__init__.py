"""The outbox read by those in the shop who show it: the console, and neighbours such as Home Assistant.

`following` reads events as they are written, `daybook` keeps the facts of one local day, `states` says what
the states of health mean in words, `people` who is where on the floor.
"""
