"""The processes that the supervisor runs.

child       one process as the supervisor knows it: its life, its messages, its timeouts
group       all of them: started, connected, listened to, reaped
main        the first code that runs in a child process
restarts    when a process that died may start again (pure)
starvation  how long a process has waited for a CPU
shortage    what a machine lacks when the kernel refuses, in words
"""
