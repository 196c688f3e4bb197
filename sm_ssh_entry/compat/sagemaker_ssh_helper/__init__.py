"""The functions that scripts import from SageMaker SSH Helper, for containers and for scripts that submit jobs.

A folder of this name that dependency_dir() has made has our package within; in our images the layer has it. Where
it is goes to the end of the module path: a package that is installed comes first. Modules below this name are imported
only when asked for.
"""

from __future__ import annotations

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 # a script's start does not wait for pathlib
# The second is contract.Paths.compat, which a test compares.
for _folder in (_HERE, "/opt/sm-ssh/compat"):
    if os.path.isdir(os.path.join(_folder, "sm_ssh_entry")):  # noqa: PTH112, PTH118
        if _folder not in sys.path:
            sys.path.append(_folder)
        break

from sm_ssh_entry.in_script import is_last_session_timeout, is_profiler_issues_found, setup_and_start_ssh  # noqa: E402

__all__ = ["is_last_session_timeout", "is_profiler_issues_found", "setup_and_start_ssh"]
