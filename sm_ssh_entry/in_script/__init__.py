"""SSH from within a script, and for containers without our layer: what is missing there is installed when it runs."""
