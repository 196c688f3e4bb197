"""What the container's first process is, what it ends with, and what a stop does to it. Real containers.

Exec mode: the stub becomes the user's command. Init mode: our process stays as process 1, and nobody can tell.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.images.built import family
from tests.images.built.engine import Container
from tests.images.built.world import World, free_port
from tests.waiting import wait_until

# What these promise does not depend on the distribution; every image has the short form, see test_every_image.py.
pytestmark = pytest.mark.images(family.BASE_12)

OFF = {"START_SSH": "false"}
EXEC: dict[str, str] = {}
HELD = {"SSH_WAIT_TIME_SECONDS": "0.2"}
INIT = {"SSH_HOLD_ON_FAILURE_SECONDS": "1"}
MODES = pytest.mark.parametrize("mode", [OFF, EXEC, HELD, INIT], ids=["off", "exec", "held", "init"])
# A shell's trap: not every image has another interpreter. `wait` ends at once when the signal comes.
HANDLER = "trap 'echo saved the model; exit 5' TERM; echo ready; sleep 300 & wait"


@pytest.mark.parametrize("mode", [OFF, EXEC, HELD], ids=["off", "exec", "held"])
def test_process_1_is_the_users_command(world: World, mode: dict[str, str]) -> None:
    container = world.start("sh", "-c", "echo ready; exec sleep 300", env=mode)
    container.saw("ready")
    wait_until(lambda: container.inside("cat", "/proc/1/cmdline") == "sleep\x00300\x00", what="sleep is process 1")


def test_ssh_off_is_one_process(world: World) -> None:
    container = world.start("sleep", "300", env=OFF)
    wait_until(lambda: container.processes()[0][1] == "sleep 300", what="sleep is process 1")
    assert [words for _, words in container.processes()] == ["sleep 300"]
    assert container.log == ""


@MODES
@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("true",), 0),
        (("sh", "-c", "exit 7"), 7),
        (("sh", "-c", "sh -c 'kill -TERM $$'; exit $?"), 143),
    ],
    ids=["0", "7", "143"],
)
def test_status_is_the_commands_own(world: World, mode: dict[str, str], command: tuple[str, ...], status: int) -> None:
    done = world.run(*command, env=mode)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "status", "line"),
    [("no-such-command", 127, "command not found: no-such-command"), ("/etc/passwd", 126, "cannot execute")],
)
def test_command_that_cannot_run_is_one_clear_line(world: World, command: str, status: int, line: str) -> None:
    world.allow(line)
    done = world.run(command)
    assert done.returncode == status
    assert [text for text in done.stderr.splitlines() if line in text] == done.stderr.splitlines()
    assert line in done.stderr


@MODES
def test_standard_input_reaches_the_command(world: World, mode: dict[str, str]) -> None:
    assert world.run("wc", "-c", env=mode, options=("--interactive",), stdin="x" * 70_000).stdout == "70000\n"


@MODES
def test_script_that_names_no_interpreter_runs(
    world: World, derive: Callable[[str, str], str], mode: dict[str, str]
) -> None:
    lines = "COPY --chmod=755 <<'EOF' /usr/local/bin/train\necho \"trains $1\"; exit 3\nEOF"
    done = world.run("train", "a b", env=mode, image=derive(world.image, lines))
    assert (done.returncode, done.stdout) == (3, "trains a b\n"), done.stderr


def test_command_killed_in_init_mode_is_128_and_the_signal(world: World) -> None:
    assert world.run("sh", "-c", "kill -TERM $$", env=INIT).returncode == 143


@MODES
def test_stop_reaches_a_command_with_a_handler(world: World, mode: dict[str, str]) -> None:
    container = world.start("sh", "-c", HANDLER, env=mode)
    container.saw("ready")
    assert container.stop(grace=20) == 5
    assert "saved the model" in container.log


@MODES
def test_stop_of_a_command_without_a_handler_is_as_without_us(world: World, mode: dict[str, str]) -> None:
    # The kernel drops signals that process 1 does not handle. `train` is such a command: its job runs on until it is
    # killed, or to its end within the grace.
    endless = world.start("sh", "-c", "echo ready; exec sleep 300", env=mode)
    other = {"SSH_PORT": str(free_port())}
    ends = world.start("sh", "-c", "echo ready; sleep 2; exit 4", env=mode | other)
    for container in (endless, ends):
        container.saw("ready")
    with ThreadPoolExecutor() as pool:
        later = pool.submit(ends.stop, grace=20)
        assert endless.stop(grace=1) == 137
        assert later.result() == 4


@pytest.mark.images(*family.BASES)
def test_stop_takes_no_longer_with_services_to_stop(world: World) -> None:
    """Beside the same image without SSH: its command takes ten seconds to save, and ends after ours, which takes none.

    The agent and sshd have up to two seconds each, and a login is open: what is to show is that nothing waits for the
    end of the grace. Process 1 is the command in one container, ours in the other.
    """
    slow = world.start("sh", "-c", "trap 'sleep 10; exit 5' TERM; echo ready; sleep 300 & wait", env=OFF)
    inside = world.start("sh", "-c", HANDLER, env=EXEC)
    below = world.start("sh", "-c", HANDLER, env=INIT | {"SSH_PORT": str(free_port()), "SSH_INSTANCE_COUNT": "0"})
    inside.phase("online")
    below.phase("sshd-only")
    slow.saw("ready")
    world.stay(inside)
    ended: list[Container] = []

    def stop(container: Container) -> int:
        status = container.stop(grace=60)
        ended.append(container)
        return status

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(stop, (slow, inside, below))) == [5, 5, 5]
    assert ended[-1] is slow
