# mypy: disable-error-code="import-not-found"
"""A script of old: from a job's name to its sshd, its imports and calls as SageMaker SSH Helper documents them.

Words: the job's name, two free ports, the file for what was found, the file at which the job ends.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import TextIO

from sagemaker_ssh_helper.wrapper import SSHEstimatorWrapper
from telling import refused

from sm_ssh_entry.sdk.wrappers import records

KEY = Path.home() / ".ssh" / "sagemaker-ssh-gw"
LOGIN = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes"]


class Shown:
    """Standard output that lets the job end once its log is shown.

    Args:
        stream: the real one.
        end: the file.
    """

    def __init__(self, stream: TextIO, end: str) -> None:
        self.stream, self.end = stream, end

    def write(self, text: str) -> int:
        """Write, and look."""
        if "it began" in text:
            Path(self.end).touch()
        return self.stream.write(text)

    def flush(self) -> None:
        """Flush."""
        self.stream.flush()


def closed(port: int) -> bool:
    """Return whether nobody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def main(name: str, first: str, second: str, result: str, end: str) -> None:
    """Do all of it, and write down what was found."""
    port, other = int(first), int(second)
    wrapper = SSHEstimatorWrapper.attach(name)
    found = {"ids": wrapper.get_instance_ids(timeout_in_sec=60)}
    proxy = wrapper.start_ssm_connection(port, timeout_in_sec=60, extra_args="-v -R localhost:0:localhost:1")
    argv = ["ssh", "-i", str(KEY), "-p", first, *LOGIN, "root@localhost", "echo in $START_SSH"]
    login = subprocess.run(argv, capture_output=True, text=True, check=False)
    found |= {"login": login.stdout, "error": login.stderr, "connected": proxy.connected}
    found["taken"] = refused(lambda: wrapper.start_ssm_connection(port, timeout_in_sec=60))
    twice = f"-L localhost:{port}:localhost:1"
    found["refused"] = refused(lambda: wrapper.start_ssm_connection(other, timeout_in_sec=60, extra_args=twice))
    found["shown"] = "Authenticated to" in proxy.fetch_proxy_output()
    found["output"] = proxy.run_command_with_output("echo out; echo err >&2").decode()
    found["status"] = proxy.run_command("exit 7")
    found["failed"] = refused(lambda: proxy.run_command_with_output("echo reason; exit 3"))
    proxy.disconnect()
    proxy.disconnect()
    found["closed"] = closed(port)
    records._LATE_LINES = 0.5
    sys.stdout = Shown(sys.stdout, end)
    found["status_of_job"] = wrapper.wait_training_job_with_status()
    Path(result).write_text(json.dumps(found), encoding="utf-8")


main(*sys.argv[1:])
