"""Copying files between this machine and a node: SFTP over several sessions at once, or by way of a bucket."""
