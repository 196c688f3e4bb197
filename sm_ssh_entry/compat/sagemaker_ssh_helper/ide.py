"""Studio and notebook instances, under their older names."""

from sm_ssh_entry.sdk.wrappers.ide import SSHIDE, IDEAppStatus, Image, NotebookInstance

__all__ = ["SSHIDE", "IDEAppStatus", "Image", "NotebookInstance"]
