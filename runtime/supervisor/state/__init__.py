"""The state folder.

folder  the version of what lies in it, brought forward
lock    one daemon at a time, and trying again while the folder cannot be used
"""
