"""SSH from within a script, and for containers without our layer: what is missing there is installed when it runs.

    from sm_ssh_entry.in_script import setup_and_start_ssh, is_last_session_timeout, is_profiler_issues_found

What a container imports of this room runs on the user's own Python, 3.8 and later, with its standard library alone.
"""

from __future__ import annotations

import importlib
import os
from datetime import timedelta
from typing import Any

from sm_ssh_entry.contract import DEBUG, START_SSH
from sm_ssh_entry.errors import BadInput

__all__ = ["dependency_dir", "is_last_session_timeout", "is_profiler_issues_found", "setup_and_start_ssh"]


def setup_and_start_ssh() -> None:
    """Make this container reachable by SSH, and wait as long as SSH_WAIT_TIME_SECONDS says for ``sm-wait stop``.

    Does nothing unless START_SSH is ``true``, and says in one line where SSH stands if the image's own entrypoint has
    started it. However many processes of a container call it, the first one works and the others wait for it.

    Raises:
        SmSshError: SSH cannot be set up, and SSH_ON_ERROR is ``fail``. Otherwise that is one line in the log.
    """
    if os.environ.get(START_SSH) == "true":
        from sm_ssh_entry.in_script import entering

        entering.enter(os.environ)
    elif os.environ.get(DEBUG):
        from sm_ssh_entry.in_script.telling import say

        say(f"{START_SSH} is not true: SSH stays off")


def is_last_session_timeout(time_delta: timedelta) -> bool:
    """Tell whether nobody is connected, and the last one left longer ago than a time.

    Before anybody came, the time counts from the moment SSH was started; where it is off, from the first import.

    Args:
        time_delta: the time.
    """
    from sm_ssh_entry.in_script import sessions

    return sessions.over(time_delta, os.environ)


def is_profiler_issues_found() -> bool:
    """Tell whether a rule of SageMaker's Profiler or Debugger has found issues in this training job.

    Calls DescribeTrainingJob with the job's role, by the AWS SDK of the script's Python, or by the AWS CLI.

    Raises:
        ValueError: this is no training job.
        SmSshError: the job cannot be described.
    """
    from sm_ssh_entry.in_script import profiler

    return profiler.issues_found(os.environ)


def dependency_dir(name: str = "sagemaker_ssh_helper", *, artifacts: Any = None, lock: Any = None) -> str:
    """Return a folder to submit beside a script: ``dependencies=[dependency_dir()]``.

    The folder's own name is importable in the container. Equal content is the same folder in the user's cache.

    Args:
        name: ``sagemaker_ssh_helper`` for scripts that import that, ``sm_ssh_entry`` for new ones.
        artifacts: a folder that ``sm-ssh image fetch`` has filled, for containers without internet; it comes along.
        lock: the lock of ``sm-ssh image fetch`` or ``sm-ssh image lock``, beside the one that sm-ssh ships.

    Raises:
        BadInput: another name, or no such folder or file.
    """
    try:
        staging = importlib.import_module("sm_ssh_entry.in_script.staging")
    except ImportError as error:
        hint = "call dependency_dir() in the script that submits the job, with sm-ssh-entry installed there"
        raise BadInput(f"no dependency_dir() in this container ({error})", hint=hint) from error
    return str(staging.stage(name, artifacts=artifacts, lock=lock))
