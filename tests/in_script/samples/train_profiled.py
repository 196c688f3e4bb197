# mypy: ignore-errors
"""A training script that ends early when a rule of the Profiler has found issues, as its FAQ has it."""

import os
import time

from sagemaker_ssh_helper import is_profiler_issues_found, setup_and_start_ssh

setup_and_start_ssh()

for _step in range(int(os.environ.get("STEPS", "600"))):
    if is_profiler_issues_found():
        print("the profiler has found issues", flush=True)
        break
    time.sleep(float(os.environ.get("PAUSE", "30")))
else:
    print("no issues", flush=True)
