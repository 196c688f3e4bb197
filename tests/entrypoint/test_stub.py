"""The stub, SSH off and on: its promises on real processes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from sm_ssh_entry.boot import procfs
from tests.boot.container import LIBRARYS_OWN, Container
from tests.boot.fake_ssm import FakeSsm
from tests.waiting import wait_until

# A value that a careless shell would change: lines, quotes, a dollar, an escape, unicode, and bytes that are no text.
AWKWARD = b"two\nlines 'single' \"double\" $HOME `id` \\n \xc3\xa9\xe2\x82\xac \xff\x81\x88 end\n"
MODES = {
    "off": {"START_SSH": ""},
    "exec": {},
    "hold": {"SSH_WAIT_TIME_SECONDS": "0.3"},
    "fail": {"SSH_ON_ERROR": "fail"},
    "init": {"SSH_IDLE_TIMEOUT_SECONDS": "600"},
}


@pytest.fixture(params=list(MODES))
def mode(request: pytest.FixtureRequest, container: Container) -> str:
    container.env.update(MODES[request.param])
    return str(request.param)


@pytest.mark.parametrize(
    ("script", "expected"),
    [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", None), ("kill -KILL $$", None)],
)
def test_status_is_the_commands_own(container: Container, mode: str, script: str, expected: int | None) -> None:
    done = container.run("sh", "-c", script)
    if expected is not None:
        assert done.returncode == expected
    else:
        number = signal.SIGTERM if "TERM" in script else signal.SIGKILL
        # Exec'd: the process itself was killed. Supervised: our process says it as a shell does.
        assert done.returncode == (128 + number if mode == "init" else -number)


def test_missing_command_is_127_and_one_line(container: Container, mode: str) -> None:
    done = container.run("no-such-command")
    assert done.returncode == 127
    assert done.stderr.decode().splitlines() == [
        "[sm-ssh] ERROR command not found: no-such-command (hint: is it in the image, and on PATH?)"
    ]


def test_command_that_cannot_be_executed_is_126_and_one_line(container: Container, mode: str, tmp_path: Path) -> None:
    file = tmp_path / "not-executable"
    file.write_text("#!/bin/sh\n")
    done = container.run(str(file))
    assert done.returncode == 126
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(b"[sm-ssh] ERROR cannot execute ")


def test_no_command_is_2_and_one_line(container: Container, mode: str) -> None:
    for words in ((), ("--",)):
        done = container.run(*words)
        assert done.returncode == 2
        assert done.stderr.startswith(b"[sm-ssh] ERROR no command to run")


def test_environment_and_arguments_reach_the_command_unchanged(container: Container, mode: str) -> None:
    given = {os.fsencode(name): os.fsencode(value) for name, value in container.env.items()}
    given[b"AWKWARD"] = AWKWARD
    given[b"LD_PRELOAD"] = b""
    given[b"LD_LIBRARY_PATH"] = b"/nowhere"
    given[b"PYTHONPATH"] = b"/nowhere"
    given[b"PYTHONHOME"] = b"/nowhere"
    words = ["env", "-0"]
    done = subprocess.run([container.stub, *words], env=given, capture_output=True, timeout=120, check=False)
    seen = dict(entry.partition(b"=")[::2] for entry in done.stdout.split(b"\0") if entry)
    assert seen == given
    script = 'for word in "$@"; do printf "%s\\0" "$word"; done'
    arguments = [b"a b", b"", b"*", b"$HOME", AWKWARD]
    argv = [os.fsencode(container.stub), b"sh", b"-c", script.encode(), b"sh", *arguments]
    done = subprocess.run(argv, env=given, capture_output=True, timeout=120, check=False)
    assert done.stdout.split(b"\0")[:-1] == arguments


def test_exec_keeps_the_process_id(container: Container, mode: str) -> None:
    process = container.spawn("sh", "-c", "echo $$ $PPID; exit 0")
    out, _ = process.communicate(timeout=120)
    own, parent = (int(word) for word in out.split())
    assert (parent if mode == "init" else own) == process.pid


def test_standard_streams_are_the_commands(container: Container, mode: str) -> None:
    process = container.spawn("sh", "-c", "cat; echo err >&2", stdin=subprocess.PIPE)
    out, err = process.communicate(b"through stdin\n", timeout=120)
    assert out == b"through stdin\n"
    ours = [line for line in err.splitlines() if not line.startswith(b"[sm-ssh] ")]
    assert ours == [b"err"]


def test_open_descriptors_are_the_commands_alone(container: Container, mode: str) -> None:
    reading, writing = os.pipe()
    process = container.spawn(
        "sh", "-c", f"echo through >/proc/self/fd/{writing}; read _", stdin=subprocess.PIPE, pass_fds=[writing]
    )
    os.close(writing)
    assert os.read(reading, 64) == b"through\n"
    if mode != "off":
        container.wait_phase("online")
    held = procfs.descendants(int(container.status.get("services", 0)), procfs.processes()) if mode != "off" else []
    pipe = f"pipe:[{os.fstat(reading).st_ino}]"
    assert not [one for one in held if pipe in _descriptors(one.pid)]
    process.communicate(b"\n", timeout=120)
    # Nobody else holds the other end: the reader sees the end with the command's.
    assert os.read(reading, 64) == b""
    os.close(reading)


def test_signal_dispositions_are_the_defaults(container: Container, mode: str) -> None:
    done = container.run("grep", "-E", "SigBlk|SigIgn", "/proc/self/status")
    masks = dict(line.split(":\t") for line in done.stdout.decode().splitlines())
    for name in ("SigBlk", "SigIgn"):
        assert int(masks[name], 16) & ~LIBRARYS_OWN == 0, name


def test_no_child_of_ours_belongs_to_the_command(container: Container, mode: str) -> None:
    process = container.spawn("sh", "-c", "echo $$; read _; cat /proc/$$/task/*/children", stdin=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    if mode != "off":
        container.wait_phase("online")
    out, _ = process.communicate(b"\n", timeout=120)
    # The shell's only child is cat itself.
    assert len(out.split()) == 1


def test_off_starts_no_process(container: Container, tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    container.env["START_SSH"] = "false"
    trace = tmp_path / "trace"
    argv = ["strace", "-f", "-qq", "-e", "trace=process", "-o", str(trace), str(container.stub), "true"]
    done = subprocess.run(argv, env=container.env, capture_output=True, timeout=120, check=False)
    if done.returncode and b"ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0
    text = trace.read_text()
    # The stub itself and the command; execve fails for each folder of PATH that does not have it.
    assert len(re.findall(r"execve\(.* = 0$", text, re.MULTILINE)) == 2
    assert not [word for word in ("fork(", "clone(", "clone3(") if word in text]
    assert not container.paths.run.exists()


@pytest.mark.parametrize("value", ["", "TRUE", "1", "false", "yes"])
def test_only_true_turns_it_on(container: Container, value: str) -> None:
    container.env["START_SSH"] = value
    assert container.run("sh", "-c", "exit 5").returncode == 5
    assert not container.paths.run.exists()


def test_commands_named_like_ours_run_after_dashes(container: Container, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "status"
    program.write_text("#!/bin/sh\necho mine\n")
    program.chmod(0o755)
    container.env["PATH"] = f"{folder}:{container.env['PATH']}"
    container.env["START_SSH"] = ""
    assert container.run("--", "status").stdout == b"mine\n"
    assert container.entry("status").stdout.split() == ["phase", "off"]


@pytest.mark.parametrize("name", ["train", "serve"])
def test_standing_first_on_path_it_runs_the_next_of_that_name(container: Container, tmp_path: Path, name: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    (first / name).symlink_to(container.stub)
    own = second / name
    own.write_text('#!/bin/sh\necho "own $*"\nexit 9\n')
    own.chmod(0o755)
    container.env["PATH"] = f"{first}:{second}:/usr/bin:/bin"
    done = subprocess.run(
        [str(first / name), "a", "b"], env=container.env, capture_output=True, timeout=120, check=False
    )
    assert (done.stdout, done.returncode) == (b"own a b\n", 9)
    own.unlink()
    done = subprocess.run([str(first / name)], env=container.env, capture_output=True, timeout=120, check=False)
    assert done.returncode == 127


@pytest.mark.parametrize("broken", ["missing", "fails"])
def test_broken_interpreter_costs_one_line_and_not_the_job(container: Container, tmp_path: Path, broken: str) -> None:
    python = tmp_path / "python"
    if broken == "fails":
        python.write_text("#!/bin/sh\nexit 1\n")
        python.chmod(0o755)
    container.env["SM_SSH_PYTHON"] = str(python)
    for variables in MODES.values():
        if variables.get("START_SSH") == "" or variables.get("SSH_ON_ERROR"):
            continue
        container.env.update(variables)
        # Long enough for the background to say it in exec mode.
        done = container.run("sh", "-c", "sleep 0.3; exit 3")
        assert done.returncode == 3
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith(b"[sm-ssh] ERROR cannot run our Python")
    container.env["SSH_ON_ERROR"] = "fail"
    assert container.run("sh", "-c", "exit 3").returncode == 1
    assert "cannot run our Python" in container.paths.failure.read_text()


def test_log_goes_to_stdout_on_request(container: Container) -> None:
    container.env["SSH_LOG_TO_STDOUT"] = "true"
    process = container.spawn("sh", "-c", "read _", stdin=subprocess.PIPE)
    container.wait_phase("online")
    out, err = process.communicate(b"\n", timeout=120)
    assert b"Successfully registered the instance with AWS SSM" in out
    assert err == b""


def test_stub_within_a_stub_starts_and_holds_once(container: Container, ssm: FakeSsm) -> None:
    container.env["SSH_WAIT_TIME_SECONDS"] = "60"
    process = container.spawn(str(container.stub), "sh", "-c", "echo ran; exit 4")
    wait_until(lambda: container.status.get("job") == "waiting")
    assert container.sm_wait("stop").stdout == "[sm-ssh] released 1 waiting\n"
    out, _ = process.communicate(timeout=120)
    assert (out, process.returncode) == (b"ran\n", 4)
    assert len(ssm.asked("CreateActivation")) == 1


def test_services_end_with_the_command(container: Container) -> None:
    process = container.spawn("sh", "-c", "read _", stdin=subprocess.PIPE)
    services = container.wait_phase("online")["services"]
    below = procfs.descendants(services, procfs.processes())
    assert len(below) >= 2
    process.communicate(b"\n", timeout=120)
    wait_until(lambda: container.status.get("phase") == "stopped")
    left = procfs.processes()
    assert not [process for process in below if process.pid in left and left[process.pid].started == process.started]


def _descriptors(pid: int) -> set[str]:
    try:
        return {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        # It ended while we looked.
        return set()
