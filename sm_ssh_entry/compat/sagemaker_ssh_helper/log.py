"""Addresses in the console, under their older name."""

from sm_ssh_entry.sdk.wrappers.log import SSHLog

__all__ = ["SSHLog"]
