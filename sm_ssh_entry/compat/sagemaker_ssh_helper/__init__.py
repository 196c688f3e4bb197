"""The functions that scripts import from SageMaker SSH Helper, for containers and for scripts that submit jobs.

A folder of this name that dependency_dir() has made has our package within: it goes to the end of the module path, so
that one that is installed in the container comes first. Modules below this name are imported only when asked for.
"""

from __future__ import annotations

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 # a script's start does not wait for pathlib
if os.path.isdir(os.path.join(_HERE, "sm_ssh_entry")) and _HERE not in sys.path:  # noqa: PTH112, PTH118
    sys.path.append(_HERE)

from sm_ssh_entry.in_script import is_last_session_timeout, is_profiler_issues_found, setup_and_start_ssh  # noqa: E402

__all__ = ["is_last_session_timeout", "is_profiler_issues_found", "setup_and_start_ssh"]
