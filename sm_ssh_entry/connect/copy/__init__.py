"""Copying files between this machine and a node: SFTP over several sessions at once, or by way of a bucket.

Read from the top:

- ``copying``        a whole copy, in order
- ``arguments``      what the user wrote; ``plan``: what becomes what, from walks of ``local_tree`` and ``remote_tree``
- ``crew``, ``board``    the sessions, and the work that they take in turn
- ``onefile``        a file under way, ``upload`` or ``download``; ``spans``: what is there; ``journal``: remembers
- ``checksum``       SHA-256 on the node
- ``bucket_moves``   long files by way of a ``bucket``, with ``bucket_node`` at the other end; ``streams``: in and out
- ``dial``           an ``ssh`` process; ``remote``: an SFTP session over it

``fields``, ``attributes``, ``packets`` and ``conversation`` are SFTP version 3 as bytes and values. They and ``spans``
have no I/O, clock, thread or randomness.
"""
