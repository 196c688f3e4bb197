"""A shell through SSM in the user's own terminal.

shell      the session: keys to the node, its output to the terminal
local      what a shell needs of a terminal, and the one that this process has
posix      that of Linux and macOS: raw mode, size, restored whatever happens
console    the Windows console as numbers: which modes to set, what its answers mean
win32      the calls behind that
escape     ``~.`` and its like
screen     what a program that did not end properly has left switched on
"""
