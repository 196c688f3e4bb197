"""From a job's name to its sshd through a port of localhost, as a user's script does it, on a job that really runs."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import missing
from tests.end_to_end.machine import Machine, processes

pytestmark = [pytest.mark.sshd, pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing")]

# A script of old: its imports and calls are those of SageMaker SSH Helper's documents.
SCRIPT = """
import json, socket, subprocess, sys
from pathlib import Path
from sagemaker_ssh_helper.wrapper import SSHEstimatorWrapper

name, port, other = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
wrapper = SSHEstimatorWrapper.attach(name)
ids = wrapper.get_instance_ids(timeout_in_sec=60)
proxy = wrapper.start_ssm_connection(port, timeout_in_sec=60, extra_args="-v -R localhost:0:localhost:1")
login = subprocess.run(
    ["ssh", "-i", str(Path.home() / ".ssh" / "sagemaker-ssh-gw"), "-p", str(port), "-o", "StrictHostKeyChecking=no",
     "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "root@localhost", "echo in $START_SSH"],
    capture_output=True, text=True,
)
found = {"ids": ids, "login": login.stdout, "error": login.stderr, "connected": proxy.connected}
try:
    wrapper.start_ssm_connection(port, timeout_in_sec=60)
except Exception as error:
    found["taken"] = [type(error).__name__, str(error)]
try:
    wrapper.start_ssm_connection(other, timeout_in_sec=60, extra_args=f"-L localhost:{port}:localhost:1")
except Exception as error:
    found["refused"] = [type(error).__name__, str(error)]
found["shown"] = "Authenticated to" in proxy.fetch_proxy_output()
found["output"] = proxy.run_command_with_output("echo out; echo err >&2").decode()
found["status"] = proxy.run_command("exit 7")
try:
    proxy.run_command_with_output("echo reason; exit 3")
except Exception as error:
    found["failed"] = str(error)
proxy.disconnect()
proxy.disconnect()
try:
    socket.create_connection(("127.0.0.1", port)).close()
    found["closed"] = False
except ConnectionRefusedError:
    found["closed"] = True
Path(sys.argv[5]).touch()
from sm_ssh_entry.sdk.wrappers import records
records._LATE_LINES = 2.0
found["status_of_job"] = wrapper.wait_training_job_with_status()
Path(sys.argv[4]).write_text(json.dumps(found))
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.up()
    try:
        yield machine
    finally:
        machine.down()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def script(machine: Machine, source: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a script with the older names on its path."""
    folder = machine.call([sys.executable, "-m", "sm_ssh_entry.compat"]).stdout.strip()
    argv = [sys.executable, "-c", source, *map(str, words)]
    return machine.call(argv, env={"PYTHONPATH": folder}, timeout=90)


FORGETFUL = """
import sys
from sagemaker_ssh_helper.proxy import SSMProxy
from sagemaker_ssh_helper.wrapper import SSHEstimatorWrapper

proxy = SSMProxy(int(sys.argv[2]))
proxy.connect_to_ssm_instance(SSHEstimatorWrapper.attach(sys.argv[1]).get_instance_id())
print("open")
"""


def tunnels(machine: Machine, port: int) -> list[int]:
    return processes(lambda line, env: f"localhost:{port}:" in line and env.get("HOME") == str(machine.home))


def test_a_port_leads_to_sshd_and_the_job_is_released(machine: Machine, tmp_path: Path) -> None:
    port, result, end = free_port(), tmp_path / "found.json", tmp_path / "end"
    # Nobody but start_ssm_connection releases it.
    waiting = f"echo it began; until [ -e {end} ]; do sleep 0.1; done"
    job = machine.job("old-script", "sh", "-c", waiting, options=("--wait", "300"))
    done = script(machine, FORGETFUL, "old-script", port)
    assert (done.returncode, done.stdout) == (0, "open\n"), done.stderr + job.log
    assert not tunnels(machine, port)
    assert "it began" not in job.log
    done = script(machine, SCRIPT, "old-script", port, free_port(), result, end)
    assert done.returncode == 0, done.stderr + job.log
    found = json.loads(result.read_text())
    node_id = job.saw(r"Managed instance-id: (mi-[0-9a-f]{17})").group(1)
    assert found["ids"] == [node_id]
    assert found["login"] == "in true\n", found["error"]
    assert found["connected"] is True
    assert found["taken"][0] == "BadInput"
    assert f"localhost:{port} cannot be used" in found["taken"][1]
    assert found["refused"] == ["SmSshError", "Could not request local forwarding."]
    assert found["shown"] is True
    assert sorted(found["output"].split()) == ["err", "out"]
    assert found["status"] == 7
    assert found["failed"].startswith(f"'echo reason; exit 3' ended with 3 on {node_id}: reason")
    assert found["closed"] is True
    assert found["status_of_job"] == "Completed"
    assert "it began" in done.stdout
    assert job.end(timeout=60) == 0
    assert not tunnels(machine, port)
