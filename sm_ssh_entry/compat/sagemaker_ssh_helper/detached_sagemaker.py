"""Stand-ins for jobs that others have started, under their older names."""

from sm_ssh_entry.sdk.wrappers.detached import DetachedEstimator, DetachedProcessor

__all__ = ["DetachedEstimator", "DetachedProcessor"]
