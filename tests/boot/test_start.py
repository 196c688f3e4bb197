"""From a container's start to a node that is online, and each way in which that fails."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry import contract
from sm_ssh_entry.boot import procfs, start
from tests.boot import fake_agent, fake_ssm
from tests.boot.container import Container
from tests.boot.fake_ssm import FakeSsm
from tests.waiting import wait_until

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICQBkQllwvmwUZp639Fhlc9B/rSNw8heynR5TfdWahf/"
# As ssh-keygen -lf prints it.
FINGERPRINT = "h2tPB8XLeZtlVlspQNrTF3F8qwKf6EkrkiJMieBW7u4"


def job(container: Container) -> subprocess.Popen[bytes]:
    return container.spawn("sh", "-c", "read _; exit 3", stdin=subprocess.PIPE)


def errors_of(container: Container, process: subprocess.Popen[bytes]) -> list[str]:
    """Let the job end with its own status; return the error lines of its log."""
    _, err = process.communicate(b"\n", timeout=120)
    assert process.returncode == 3
    text = err.decode()
    assert fake_ssm.CODE not in text
    assert "do-not-log" not in text
    assert all(line.startswith("[sm-ssh] ") for line in text.splitlines())
    return [line.removeprefix("[sm-ssh] ERROR ") for line in text.splitlines() if "ERROR" in line]


def failed(container: Container) -> str:
    """Start a job whose SSH fails; return the one line that says so."""
    process = job(container)
    container.wait_phase("failed", timeout=30)
    assert container.entry("health").returncode == 1
    lines = errors_of(container, process)
    assert len(lines) == 1
    assert "(hint: " in lines[0]
    return lines[0]


def test_registers_with_tags_and_says_so(container: Container, ssm: FakeSsm) -> None:
    container.env.update(SSH_OWNER_TAG="AROAOWNER:me@example.com", SSH_AUTHORIZED_KEYS=KEY, SSH_SESSION_ID="sid-1")
    process = job(container)
    found = container.wait_phase("online")
    assert (found["node_id"], found["kind"], found["name"]) == (fake_agent.NODE, "training", "my-job")
    assert next(iter(found["times"])) == "started"
    (request,) = ssm.asked("CreateActivation")
    tags = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    host_key = (container.paths.run / "ssh_host_ed25519_key.pub").read_text().strip()
    assert tags.pop("SSHTimestamp").isdecimal()
    assert tags == {
        contract.TAG_OWNER: "AROAOWNER:me@example.com",
        contract.TAG_CREATOR: "AROAEXAMPLE:SageMaker",
        contract.TAG_RESOURCE_NAME: "my-job",
        contract.TAG_RESOURCE_ARN: container.env["TRAINING_JOB_ARN"],
        contract.TAG_RESOURCE_KIND: "training",
        contract.TAG_SESSION_ID: "sid-1",
        contract.TAG_HOST_KEY: host_key,
        contract.TAG_KEY_FINGERPRINTS: FINGERPRINT,
        contract.TAG_PORT: str(found["port"]),
        contract.TAG_VERSION: "0.1.0",
    }
    assert (request["IamRole"], request["DefaultInstanceName"], request["RegistrationLimit"]) == (
        "NodeRole",
        "my-job",
        1,
    )
    _, err = process.communicate(b"\n", timeout=120)
    assert err.decode() == f"[sm-ssh] {contract.LINE_REGISTERED.format(node_id=fake_agent.NODE)}\n"


def test_agent_gets_a_clean_environment_and_its_configuration(container: Container) -> None:
    container.env.update(AWS_SESSION_TOKEN="token", MY_SECRET="x", HTTPS_PROXY="http://127.0.0.1:1")
    container.env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials"
    container.env["NO_PROXY"] = "127.0.0.1"
    container.env["SM_SSH_MGS_ENDPOINT"] = "https://127.0.0.1:4430"
    process = job(container)
    container.wait_phase("online")
    register, run = container.agent_starts()
    for begun in (register, run):
        env = begun["env"]
        assert not {
            name for name in env if name.startswith(("AWS_ACCESS", "AWS_SECRET", "AWS_SESSION", "AWS_CONTAINER"))
        }
        assert "MY_SECRET" not in env
        assert env["AWS_SHARED_CREDENTIALS_FILE"] == str(container.paths.run / "node-credentials")
        assert (env["AWS_REGION"], env["HTTPS_PROXY"]) == ("eu-west-1", "http://127.0.0.1:1")
    assert register["words"][-1] == "-y"
    config = json.loads(container.paths.agent_config.read_text())
    assert config["Identity"] == {"ConsumptionOrder": ["OnPrem"]}
    assert config["Ssm"] == {"Endpoint": container.env["AWS_ENDPOINT_URL"]}
    assert config["Mgs"]["Endpoint"] == "https://127.0.0.1:4430"
    assert errors_of(container, process) == []


def test_role_comes_from_the_callers_identity(container: Container, ssm: FakeSsm) -> None:
    container.env["SSH_SSM_ROLE"] = ""
    # The role's path is not in its identity: the second try is the path that SageMaker's consoles use.
    ssm.failures["CreateActivation"] = [
        (400, "ValidationException", "Nonexistent role or missing ssm service principal")
    ]
    process = job(container)
    container.wait_phase("online")
    assert [request["IamRole"] for request in ssm.asked("CreateActivation")] == ["JobRole", "service-role/JobRole"]
    assert errors_of(container, process) == []


@pytest.mark.parametrize(
    ("failure", "line", "hint"),
    [
        (("AccessDeniedException", "not authorized"), "ssm:CreateActivation: access denied", "iam:PassRole"),
        (
            ("ValidationException", "Nonexistent role or missing ssm"),
            "ssm:CreateActivation: Validation",
            "SSH_SSM_ROLE",
        ),
        (("ExpiredTokenException", "expired"), "the AWS credentials have expired", "credentials must be valid"),
        (("UnrecognizedClientException", "bad token"), "AWS does not accept these credentials", "network isolation"),
    ],
)
def test_refused_activation_is_one_line(
    container: Container, ssm: FakeSsm, failure: tuple[str, str], line: str, hint: str
) -> None:
    ssm.failures["CreateActivation"] = [(400, *failure)] * 9
    told = failed(container)
    assert line in told
    assert hint in told


def test_throttling_is_told_once_and_overcome(container: Container, ssm: FakeSsm) -> None:
    ssm.failures["CreateActivation"] = [(400, "ThrottlingException", "Rate exceeded")] * 3
    process = job(container)
    container.wait_phase("online", timeout=30)
    lines = errors_of(container, process)
    assert len(lines) == 1
    assert "AWS is throttling these calls; trying again for up to 300 s (hint: " in lines[0]


def test_endpoint_that_is_down_is_one_line(container: Container) -> None:
    container.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    told = failed(container)
    assert "ssm:CreateActivation: the AWS endpoint" in told
    assert "trying again for up to 10 s" in told
    assert "interface endpoints" in told


def test_no_credentials_is_one_line(container: Container) -> None:
    del container.env["AWS_ACCESS_KEY_ID"]
    del container.env["AWS_SECRET_ACCESS_KEY"]
    assert "network isolation" in failed(container)


def test_no_region_is_one_line(container: Container) -> None:
    del container.env["AWS_REGION"]
    assert "no AWS region is set" in failed(container)


def test_no_agent_is_one_line(container: Container) -> None:
    container.env["SM_SSH_AGENT"] = "/no/such/agent"
    assert "no SSM agent in this image (agent is missing)" in failed(container)


def test_agent_that_cannot_register_is_one_line_without_the_code(container: Container) -> None:
    container.env["SM_SSH_FAKE_AGENT"] = "refuses"
    container.env["SM_SSH_AGENT"] = f"env SM_SSH_FAKE_AGENT=refuses {container.env['SM_SSH_AGENT']}"
    told = failed(container)
    assert "the agent could not register (status 1): ERROR Registration failed: InvalidActivation: code ***" in told


def test_no_sshd_is_one_line(container: Container, tmp_path: Path) -> None:
    # A PATH on which there is none, and a sandbox for the fixed folders that are searched besides.
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    empty = tmp_path / "empty"
    empty.mkdir()
    argv = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /usr/sbin && exec "$@"', str(empty)]
    if subprocess.run([*argv, "true"], capture_output=True, check=False).returncode:
        pytest.skip("mount namespaces are not permitted here")
    process = container.spawn_argv([*argv, str(container.stub), "sh", "-c", "read _; exit 3"])
    container.wait_phase("failed")
    (line,) = errors_of(container, process)
    assert "no sshd in this image (hint: add the sm-ssh layer" in line


def test_port_that_is_taken_is_one_line(container: Container, ssm: FakeSsm) -> None:
    port = ssm.url.rpartition(":")[2]
    container.env["SSH_PORT"] = port
    assert f"sshd cannot listen on port {port}" in failed(container)


def test_bad_key_is_one_line_and_the_others_work(container: Container) -> None:
    container.env["SSH_AUTHORIZED_KEYS"] = f"ssh-ed25519 notAkey,{KEY}"
    process = job(container)
    container.wait_phase("online")
    assert container.paths.authorized_keys.read_text() == f"{KEY}\n"
    (line,) = errors_of(container, process)
    assert line.startswith("key 1 of SSH_AUTHORIZED_KEYS is not usable")
    assert "notAkey" not in line


def test_bad_values_are_one_line_each(container: Container) -> None:
    container.env.update(SSH_PORT="99999", SSH_INSTANCE_COUNT="two", SSH_DEREGISTER_ON_EXIT="false")
    process = job(container)
    container.wait_phase("online")
    lines = errors_of(container, process)
    assert sorted(line.split()[0] for line in lines) == ["SSH_INSTANCE_COUNT", "SSH_PORT"]


def test_malformed_context_is_one_warning(container: Container) -> None:
    config = container.paths.ml / "input" / "config" / "resourceconfig.json"
    config.parent.mkdir(parents=True)
    config.write_text("{")
    process = job(container)
    container.wait_phase("online")
    _, err = process.communicate(b"\n", timeout=120)
    assert err.decode().count("WARNING cannot read") == 1


def test_restarted_container_keeps_its_node_and_host_key(container: Container, ssm: FakeSsm) -> None:
    ids, keys = [], []
    for _ in range(2):
        process = job(container)
        ids.append(container.wait_phase("online")["node_id"])
        keys.append((container.paths.run / "ssh_host_ed25519_key.pub").read_text())
        process.communicate(b"\n", timeout=120)
        container.wait_phase("stopped")
    assert (ids[0], keys[0]) == (ids[1], keys[1])
    assert len(ssm.asked("CreateActivation")) == 1


@pytest.mark.parametrize("broken", ["elsewhere", "no key", "another node"])
def test_registration_that_is_not_ours_is_replaced(container: Container, ssm: FakeSsm, broken: str) -> None:
    process = job(container)
    container.wait_phase("online")
    process.communicate(b"\n", timeout=120)
    container.wait_phase("stopped")
    memory = container.paths.run / "registration.json"
    found = json.loads(memory.read_text())
    if broken == "elsewhere":
        memory.write_text(json.dumps({**found, "machine": "another"}))
    elif broken == "no key":
        (container.paths.ssm_state / "Vault" / "Store" / "RegistrationKey").write_text('{"instanceID": ""}')
    else:
        memory.write_text(json.dumps({**found, "node_id": "mi-0aaaaaaaaaaaaaaaa"}))
    process = job(container)
    container.wait_phase("online")
    process.communicate(b"\n", timeout=120)
    assert len(ssm.asked("CreateActivation")) == 2


def test_killed_services_come_back_without_the_job_noticing(container: Container) -> None:
    process = job(container)
    found = container.wait_phase("online")

    def programs() -> set[int]:
        # The agent is a Python; the set-up, a Python too, may still be about to end.
        return {one.pid for one in procfs.processes().values() if one.parent == found["services"]}

    wait_until(lambda: len(programs()) == 2, what="sshd and agent")
    before = programs()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(programs() - before) == 2, what="new sshd and agent")
    container.wait_phase("online")
    assert process.poll() is None
    wait_until(lambda: container.entry("health").returncode == 0)
    assert errors_of(container, process) == []


def test_hibernating_agent_is_started_again(container: Container) -> None:
    container.env["SM_SSH_FAKE_AGENT"] = "hibernates"
    process = job(container)
    container.wait_phase("online", timeout=20)
    starts = [begun for begun in container.agent_starts() if "-register" not in begun["words"]]
    assert len(starts) == 2
    _, err = process.communicate(b"\n", timeout=120)
    assert b"the agent hibernates after being throttled or refused; starting it again" in err


def test_agent_that_says_in_its_log_file_alone_that_it_is_online(container: Container) -> None:
    container.env["SM_SSH_AGENT"] = f"env SM_SSH_FAKE_AGENT='writes a file' {container.env['SM_SSH_AGENT']}"
    process = job(container)
    # Well before the half minute after which silence counts as success.
    container.wait_phase("online", timeout=15)
    process.communicate(b"\n", timeout=120)


def test_agent_that_reaches_ssm_but_not_its_channel_is_not_online(container: Container) -> None:
    container.env["SM_SSH_AGENT"] = f"env SM_SSH_FAKE_AGENT='reaches SSM alone' {container.env['SM_SSH_AGENT']}"
    process = job(container)
    wait_until(lambda: "ssmmessages" in container.status.get("hint", ""), 15)
    assert container.status["phase"] == "registered"
    assert "cannot open its control channel" in container.entry("health").stderr
    output = process.communicate(b"\n", timeout=120)
    assert b"".join(part for part in output if part).count(b"WARNING the agent cannot open its control channel") == 1


def test_start_beside_a_running_command(container: Container) -> None:
    container.env["START_SSH"] = ""
    done = container.entry("start")
    assert (done.returncode, done.stdout) == (0, f"{fake_agent.NODE}\n")
    container.wait_phase("online")
    again = container.entry("start")
    assert (again.returncode, again.stdout) == (0, f"online {fake_agent.NODE}\n")
    assert container.entry("health").returncode == 0


def test_start_that_fails_says_why(container: Container, ssm: FakeSsm) -> None:
    ssm.failures["CreateActivation"] = [(400, "AccessDeniedException", "no")]
    done = container.entry("start")
    assert done.returncode == 25
    assert "access denied" in done.stderr


def test_memory_of_our_own_processes(container: Container) -> None:
    container.env["SSH_IDLE_TIMEOUT_SECONDS"] = "600"
    process = job(container)
    found = container.wait_phase("online")
    ours = [process.pid, found["services"]]
    resident = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in ours) * os.sysconf("SC_PAGE_SIZE")
    assert resident < 30_000_000
    process.communicate(b"\n", timeout=120)


def test_steps_read_as_a_table_of_contents() -> None:
    assert [step.__name__ for step in start.STEPS] == [
        "identify",
        "make_keys",
        "start_sshd",
        "activate",
        "register",
        "start_agent",
        "confirm",
    ]


def test_activation_code_has_no_repr() -> None:
    from sm_ssh_entry.boot.activation import Activation

    assert "secret" not in repr(Activation("id", "secret", "eu-west-1"))


def test_fake_agent_is_isolated() -> None:
    # The tests' own agent must not need the checkout on its path, or it would prove nothing about -I.
    argv: list[Any] = [sys.executable, "-I", fake_agent.__file__, "-register"]
    done = subprocess.run(argv, env={"SM_SSH_ROOT": "/dev/null/x"}, capture_output=True, check=False)
    assert b"NotADirectoryError" in done.stderr
