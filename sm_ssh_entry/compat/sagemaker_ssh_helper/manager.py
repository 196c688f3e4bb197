"""What looks for managed nodes, under its older name."""

from sm_ssh_entry.sdk.wrappers.manager import SSMManager, SSMManagerBase

__all__ = ["SSMManager", "SSMManagerBase"]
