"""Wrappers under their older name."""

from sm_ssh_entry.sdk.wrappers import (
    SSHEnvironmentWrapper,
    SSHEstimatorWrapper,
    SSHIDEWrapper,
    SSHModelWrapper,
    SSHMultiModelWrapper,
    SSHNotebookInstanceWrapper,
    SSHProcessorWrapper,
    SSHTransformerWrapper,
)
from sm_ssh_entry.sdk.wrappers.detached import DetachedEstimator, DetachedProcessor
from sm_ssh_entry.sdk.wrappers.ide import SSHIDE, NotebookInstance
from sm_ssh_entry.sdk.wrappers.log import SSHLog
from sm_ssh_entry.sdk.wrappers.manager import SSMManager
from sm_ssh_entry.sdk.wrappers.proxy import SSMProxy

__all__ = [
    "SSHIDE",
    "DetachedEstimator",
    "DetachedProcessor",
    "NotebookInstance",
    "SSHEnvironmentWrapper",
    "SSHEstimatorWrapper",
    "SSHIDEWrapper",
    "SSHLog",
    "SSHModelWrapper",
    "SSHMultiModelWrapper",
    "SSHNotebookInstanceWrapper",
    "SSHProcessorWrapper",
    "SSHTransformerWrapper",
    "SSMManager",
    "SSMProxy",
]
