"""What programs beside the box are told of the shop as it is now: no visitor, only counts and states.

`following` reads events as they are written; `now` is the shop at this moment, made of them and of where the
store process says that people are; `prometheus` shows it as metrics, `home_assistant` as a
device of Home Assistant.
"""
