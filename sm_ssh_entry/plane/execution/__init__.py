"""Jobs and endpoints that were asked for through the API, and really run: a process of their own for each of them.

desk (in the plane: starts a runner, passes on what it is told later) -> work (in the runner: the order, S3, what the
record says) -> one module for each kind.
"""
