"""Many nodes at once: what is there, what has gone, what it logged."""
