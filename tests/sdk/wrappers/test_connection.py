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

SCRIPTS = Path(__file__).with_name("scripts")


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


def script(machine: Machine, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a script with the older names on its path."""
    folder = machine.call([sys.executable, "-m", "sm_ssh_entry.compat"]).stdout.strip()
    return machine.call([sys.executable, *map(str, words)], env={"PYTHONPATH": folder}, timeout=180)


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
    done = script(machine, "-c", FORGETFUL, "old-script", port)
    assert (done.returncode, done.stdout) == (0, "open\n"), done.stderr + job.log
    assert not tunnels(machine, port)
    assert "it began" not in job.log
    done = script(machine, SCRIPTS / "connect.py", "old-script", port, free_port(), result, end)
    assert done.returncode == 0, done.stderr + job.log
    found = json.loads(result.read_text())
    node_id = job.saw(r"Managed instance-id: (mi-[0-9a-f]{17})").group(1)
    assert found["ids"] == [node_id]
    assert found["login"] == "in true\n", found["error"]
    assert found["connected"] is True
    assert found["taken"][0] == "BadInput"
    assert f"localhost:{port} cannot be used" in found["taken"][1]
    assert found["refused"][:2] == ["SmSshError", "Could not request local forwarding."]
    assert found["shown"] is True
    assert sorted(found["output"].split()) == ["err", "out"]
    assert found["status"] == 7
    assert found["failed"][1].startswith(f"'echo reason; exit 3' ended with 3 on {node_id}: reason")
    assert found["closed"] is True
    assert found["status_of_job"] == "Completed"
    assert "it began" in done.stdout
    assert job.end(timeout=180) == 0
    assert not tunnels(machine, port)
