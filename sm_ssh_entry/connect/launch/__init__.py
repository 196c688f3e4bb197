"""``sm-ssh open``: programs of the laptop that work on a node, and web servers of the node in the laptop's browser."""
