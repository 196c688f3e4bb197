"""Path 1: what runs in the container, from its start to the user's command."""
