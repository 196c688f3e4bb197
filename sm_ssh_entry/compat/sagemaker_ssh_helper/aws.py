"""What differs between the partitions of AWS, under its older name."""

from sm_ssh_entry.sdk.wrappers.partition import AWS

__all__ = ["AWS"]
