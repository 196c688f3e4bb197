"""Local ports that lead to a node through port sessions: no sshd, no key.

``spec`` says what is to be forwarded, ``pool`` holds the sessions of one port and gives each connection to one of them,
``tunnel`` is one session, ``streams`` and ``single`` carry connections in it, ``local`` is a program's end of one.
``forward`` puts them together.
"""
