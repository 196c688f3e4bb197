"""Everything that a login needs, checked one thing at a time, each with its fix.

``checks.CHECKS`` is the list; ``examination.examine`` runs it. A check looks and says what it found. It changes
nothing, here or in the account, except for one session to the node and one login, which it ends again.
"""
