# mypy: ignore-errors
"""A job to work in, as its readme has it: it ends when nobody has been connected for a while."""

import os
import time
from datetime import timedelta

from sagemaker_ssh_helper import is_last_session_timeout, setup_and_start_ssh

setup_and_start_ssh()

while not is_last_session_timeout(timedelta(seconds=float(os.environ.get("PATIENCE", "1800")))):
    time.sleep(float(os.environ.get("PAUSE", "10")))

print("nobody is here any more", flush=True)
