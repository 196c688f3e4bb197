"""Path 3's Python: what images are made of (toml, lock, verified files), wrapping and inspecting images."""
