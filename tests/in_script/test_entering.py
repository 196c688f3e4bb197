"""setup_and_start_ssh() in a container whose entrypoint was not run, or was: real scripts, services, and waits."""

from __future__ import annotations

import json
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sm_ssh_entry.boot import status
from sm_ssh_entry.in_script import entering
from tests.boot.container import Container
from tests.in_script.conftest import SAMPLES, Script, oldest
from tests.waiting import wait_until

CALL = "from sagemaker_ssh_helper import setup_and_start_ssh; setup_and_start_ssh(); print('goes on')"


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out.decode(), err.decode()


def waits(processes: list[subprocess.Popen[bytes]]) -> tuple[subprocess.Popen[bytes], str]:
    """Return the one that waits for sm-wait stop, the only one that says so; and what all have said until then."""
    seen: dict[int, bytes] = {}

    def found() -> subprocess.Popen[bytes] | None:
        for process in processes:
            assert process.stderr is not None
            if process.poll() is None and select.select([process.stderr], [], [], 0)[0]:
                seen[process.pid] = seen.get(process.pid, b"") + process.stderr.read1()  # type: ignore[attr-defined]
            if b"waiting up to" in seen.get(process.pid, b""):
                return process
        return None

    return wait_until(found, 60, what="one waits"), b"".join(seen.values()).decode()


def registrations(container: Container) -> int:
    return sum("-register" in json.dumps(start) for start in container.agent_starts())


def test_four_ranks_start_it_once_and_go_on_together(container: Container, script: Script, tmp_path: Path) -> None:
    ranks = [script(RANK=str(rank), SSH_WAIT_TIME_SECONDS="60") for rank in range(4)]
    first, said = waits(ranks)
    assert container.status["phase"] in ("registered", "online")
    assert [rank.poll() for rank in ranks] == [None] * 4
    assert "1 waiting" in container.sm_wait("stop").stdout
    ends = [ended(rank) for rank in ranks]
    assert [status for status, _, _ in ends] == [0] * 4
    assert sorted(out for _, out, _ in ends) == [f"rank {rank} has trained\n" for rank in range(4)]
    others = [err for rank, (_, _, err) in zip(ranks, ends, strict=True) if rank is not first]
    line = "[sm-ssh] SSH was set up by another process of this container and is "
    assert all(err.splitlines()[-1].startswith(line) for err in others)
    said += "".join(others)
    assert said.count("[sm-ssh] another process of this container sets SSH up: waiting for it") == 3
    assert registrations(container) == 1
    assert len(list((tmp_path / "model").iterdir())) == 4
    # Who comes later does not wait again.
    status, out, err = ended(script(SSH_WAIT_TIME_SECONDS="60"))
    assert (status, out) == (0, "rank 0 has trained\n")
    assert "was set up by another process" in err


def test_another_rank_goes_on_where_the_first_was_killed(container: Container, script: Script) -> None:
    ranks = [script(RANK=str(rank), SSH_WAIT_TIME_SECONDS="60") for rank in range(2)]
    first, _ = waits(ranks)
    first.send_signal(signal.SIGKILL)
    second, _ = waits([rank for rank in ranks if rank is not first])
    container.sm_wait("stop")
    assert ended(second)[0] == 0
    assert registrations(container) == 1


def test_the_wait_ends_by_itself(container: Container, script: Script) -> None:
    status, out, err = ended(script(SSH_WAIT_TIME_SECONDS="1"))
    assert (status, out) == (0, "rank 0 has trained\n")
    assert "[sm-ssh] Successfully registered the instance with AWS SSM using Managed instance-id: mi-" in err
    assert "[sm-ssh] waiting up to 1 s; sm-wait stop ends it" in err


@pytest.mark.parametrize("value", ["false", "", "True "])
def test_off_does_and_says_nothing(container: Container, script: Script, value: str) -> None:
    assert ended(script(START_SSH=value)) == (0, "rank 0 has trained\n", "")
    assert not container.paths.run.exists()


def test_where_nobody_waits_it_is_done_behind_the_script(container: Container, script: Script) -> None:
    """The script's streams end with it: whoever reads them to their end must not wait for our services.

    What is there of a status when it begins are remains: of the container's life before a restart, and of a process
    behind a script that was killed.
    """
    status.prepare(container.paths)
    container.paths.status.write_text(json.dumps({"phase": "online", "services": 2**22 + 1}))
    entering._keep(container.paths, state=entering.BEHIND, process=2**22 + 1)
    code, out, err = ended(script(SSH_WAIT_TIME_SECONDS="soon"))
    assert (code, out) == (0, "rank 0 has trained\n")
    assert err.splitlines() == [
        "[sm-ssh] WARNING SSH_WAIT_TIME_SECONDS is not a number of seconds: not waiting",
        "[sm-ssh] SSH is being set up behind the script, which does not wait",
    ]
    log = container.paths.run / "log" / "in-script.log"
    wait_until(lambda: "Managed instance-id: mi-" in log.read_text(), 20, what="the line in our log")
    assert "was set up by another process of this container and is " in ended(script())[2]


def test_where_the_entrypoint_has_started_it_one_line_says_how_it_stands(
    container: Container, beside: Path, tmp_path: Path
) -> None:
    container.env["SM_MODEL_DIR"] = str(tmp_path / "model")
    container.env["PYTHONPATH"] = str(beside)
    done = container.run(sys.executable, "-S", str(SAMPLES / "train.py"))
    said = [line for line in done.stderr.decode().splitlines() if "entrypoint" in line]
    assert len(said) == 1
    assert said[0].startswith("[sm-ssh] SSH was started by the image's entrypoint and is ")
    assert said[0].endswith(": nothing to do in the script")
    assert done.stdout == b"rank 0 has trained\n"
    assert registrations(container) <= 1


def test_failure_costs_one_line_and_not_the_script(container: Container, script: Script) -> None:
    container.env["SM_SSH_AGENT"] = "/nowhere/agent"
    container.env["SSH_WAIT_TIME_SECONDS"] = "60"
    for _ in range(2):  # the second one does not try again
        status, out, err = ended(script())
        assert (status, out) == (0, "rank 0 has trained\n")
        lines = [line for line in err.splitlines() if line.endswith(")") and "goes on without SSH (hint: " in line]
        assert len(lines) == 1, err
        assert lines[0].startswith("[sm-ssh] ERROR SSH was not started: ")
        assert "Traceback" not in err
    assert registrations(container) == 0


def test_failure_is_the_scripts_where_that_was_asked_for(container: Container, script: Script) -> None:
    container.env["SM_SSH_AGENT"] = "/nowhere/agent"
    status, out, err = ended(script(code=CALL, SSH_ON_ERROR="fail"))
    assert (status, out) == (1, "")
    assert "SetupFailed: SSH was not started: " in err.splitlines()[-1]


def test_nothing_is_installed_below_a_root_folder(container: Container, script: Script) -> None:
    container.stub.unlink()
    status, out, err = ended(script(SSH_WAIT_TIME_SECONDS="60"))
    assert (status, out) == (0, "rank 0 has trained\n")
    assert "ERROR nothing is installed below SM_SSH_ROOT; the script goes on without SSH (hint: " in err


def test_endpoints_script_finds_it_in_lib(container: Container, beside: Path, tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    shutil.copy(SAMPLES / "inference.py", code)
    (code / "lib").symlink_to(beside)
    words = ["-S", "-c", "import inference, sagemaker_ssh_helper as s; print(s.__file__)"]
    env = {**container.env, "START_SSH": "false", "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}
    assert ended(container.spawn_argv([oldest(), *words], env=env)) == (
        0,
        f"{code}/lib/sagemaker_ssh_helper/__init__.py\n",
        "",
    )
