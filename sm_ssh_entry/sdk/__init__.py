"""What a submission script imports: SSH for SageMaker SDK v2 and v3 objects and for plain requests. It imports neither.

from sm_ssh_entry.sdk import enable_ssh

enable_ssh(estimator)
estimator.fit()
"""

from sm_ssh_entry.sdk.enable import enable_ssh, enabled
from sm_ssh_entry.sdk.state import Enabled

__all__ = ["Enabled", "enable_ssh", "enabled"]
