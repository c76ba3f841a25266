"""The process that children are forked from.

server  its loop: imports once what they share, and forks when asked
client  the supervisor's end of it
"""
