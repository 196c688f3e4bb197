"""The classes of SageMaker SSH Helper that people's code names, as thin faces on ``enable_ssh`` and ``sm-ssh``.

``create`` is ``enable_ssh``; what looks for nodes, waits, connects and shows logs is the laptop tool, run as a child.
Neither an SDK nor boto3 is imported before it is needed: docs/moving.md.
"""

from sm_ssh_entry.sdk.wrappers.base import SSHEnvironmentWrapper
from sm_ssh_entry.sdk.wrappers.inference import SSHModelWrapper, SSHMultiModelWrapper
from sm_ssh_entry.sdk.wrappers.processing import SSHProcessorWrapper
from sm_ssh_entry.sdk.wrappers.studio import SSHIDEWrapper, SSHNotebookInstanceWrapper
from sm_ssh_entry.sdk.wrappers.training import SSHEstimatorWrapper
from sm_ssh_entry.sdk.wrappers.transform import SSHTransformerWrapper

__all__ = [
    "SSHEnvironmentWrapper",
    "SSHEstimatorWrapper",
    "SSHIDEWrapper",
    "SSHModelWrapper",
    "SSHMultiModelWrapper",
    "SSHNotebookInstanceWrapper",
    "SSHProcessorWrapper",
    "SSHTransformerWrapper",
]
