"""A local port that leads to a node's sshd, under its older name."""

from sm_ssh_entry.sdk.wrappers.proxy import SSMProxy

__all__ = ["SSMProxy"]
