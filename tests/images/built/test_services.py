"""SSH into real containers: held, released, held after a failure, idle, deregistered; other users, a read-only root."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.images.built.engine import Container
from tests.images.built.world import World
from tests.waiting import wait_until

LOGINS = 20
READ_ONLY = ("--read-only", "--tmpfs", "/run", "--tmpfs", "/tmp", "--tmpfs", "/var/lib/amazon")


def services(container: Container) -> list[str]:
    """Command lines of everything in the container but process 1."""
    return [words for _, words in container.processes()][1:]


def test_held_command_starts_after_sm_wait_stop_in_a_login(world: World) -> None:
    container = world.start("sh", "-c", "echo training; sleep 3; exit 3", env={"SSH_WAIT_TIME_SECONDS": "300"})
    container.phase("online")
    assert "training" not in container.log
    done = world.login("sm-wait", "list")
    assert (done.returncode, "process 1 waits" in done.stdout) == (0, True), done.stderr
    assert world.login("sm-wait", "stop").returncode == 0
    assert container.end() == 3
    assert "training" in container.log


def test_logins_leave_no_zombie_and_no_session(world: World) -> None:
    # Process 1 reaps nothing here: whatever of ours became its child would stay as a zombie.
    container = world.start("sh", "-c", "echo ready; exec sleep 300")
    container.phase("online")
    assert world.login("true").returncode == 0
    before = sorted(services(container))
    # A few through the plane, which costs a second of processor time each; the others straight to sshd.
    with ThreadPoolExecutor(4) as pool:
        ways = [world.login] * 4 + [world.straight] * (LOGINS - 4)
        statuses = list(pool.map(lambda n: ways[n]("sh", "-c", f"exit {n}").returncode, range(LOGINS)))
    assert statuses == list(range(LOGINS))
    wait_until(lambda: sorted(services(container)) == before, what="no more processes than before")
    assert [words for state, words in container.processes() if state.startswith("Z")] == []
    assert container.processes()[0][1] == "sleep 300"


def test_login_sees_the_jobs_environment(world: World) -> None:
    value = "two\nlines, $HOME and 'quotes' \"ü\""
    container = world.start("sleep", "300", env={"MODEL_NOTE": value})
    container.phase("online")
    done = world.login("python3", "-c", "import os; print(repr(os.environ['MODEL_NOTE']), os.getuid())")
    assert done.stdout == f"{value!r} 0\n", done.stderr
    assert value not in container.log


def test_failed_command_is_held_until_sm_wait_stop(world: World) -> None:
    container = world.start("sh", "-c", "echo oops; exit 9", env={"SSH_HOLD_ON_FAILURE_SECONDS": "300"})
    wait_until(lambda: container.phase("online").get("job") == "failed", 20)
    assert world.login("cat", "/proc/1/comm").returncode == 0
    assert world.login("sm-wait", "stop").returncode == 0
    assert container.end() == 9


def test_end_of_the_hold_closes_the_logins(world: World) -> None:
    # The far end of a connection that nobody closes would wait for two minutes.
    container = world.start("sh", "-c", "exit 9", env={"SSH_HOLD_ON_FAILURE_SECONDS": "300"})
    container.phase("online")
    with ThreadPoolExecutor() as pool:
        login = pool.submit(world.login, "sh", "-c", "touch /tmp/in; exec sleep 300")
        wait_until(lambda: "in" in container.inside("ls", "/tmp").split(), 30, every=0.1, what="logged in")
        container.inside("/opt/sm-ssh/bin/sm-wait", "stop")
        assert container.end() == 9
        done = login.result(timeout=60)
    assert done.returncode != 0
    # ssh hears of it by either word, as it is reading or writing at that moment.
    assert "closed by remote host" in done.stderr or "Broken pipe" in done.stderr


def test_idle_container_ends(world: World) -> None:
    container = world.start("sh", "-c", "sleep 300; :", env={"SSH_IDLE_TIMEOUT_SECONDS": "4"})
    container.phase("online")
    assert container.end() == 143
    assert "nobody has been connected for 4 s" in container.log


@pytest.mark.parametrize(("value", "left"), [("true", 0), ("false", 1)])
def test_node_is_deregistered_on_exit_if_asked_to(world: World, value: str, left: int) -> None:
    command = "trap 'exit 4' TERM; sleep 300 & wait"
    container = world.start("sh", "-c", command, env={"SSH_DEREGISTER_ON_EXIT": value})
    container.phase("online")
    assert len(world.nodes()) == 1
    # Not deregistering is exec mode, where a shell's trap works all the same.
    assert container.stop(grace=20) == 4
    assert len(world.nodes()) == left


def test_read_only_root_with_the_folders_that_services_need(world: World) -> None:
    container = world.start("sh", "-c", "sleep 300", options=(*READ_ONLY, "--tmpfs", "/etc/amazon"))
    container.phase("online")
    assert world.login("cat", "/proc/1/comm").returncode == 0


def test_named_user_logs_in_as_that_user(world: World) -> None:
    folders = [word for path in ("/run", "/var/lib/amazon", "/etc/amazon") for word in ("--tmpfs", f"{path}:uid=1000")]
    container = world.start("sleep", "300", options=("--user", "trainer", *folders))
    container.phase("online")
    done = world.machine.run("connect", world.host, "-l", "trainer", "--", "id", "-un")
    assert done.stdout == "trainer\n", done.stderr


@pytest.mark.parametrize("wait", ["0", "60"])
@pytest.mark.parametrize(
    ("options", "cause"),
    [
        (READ_ONLY, "cannot write /etc/amazon/ssm"),
        (("--user", "1000:100"), "cannot write /run/sm-ssh"),
        (("--user", "4242:100", "--tmpfs", "/run:uid=4242"), "user 4242 has no name"),
    ],
    ids=["read-only", "other user", "nameless user"],
)
def test_what_services_cannot_live_with_does_not_harm_the_job(
    world: World, options: tuple[str, ...], cause: str, wait: str
) -> None:
    # Without a wait the command runs beside the set-up, and is still there when that fails. A hold ends at once.
    command = "sleep 3; echo trained; exit 6" if wait == "0" else "echo trained; exit 6"
    container = world.start("sh", "-c", command, options=options, env={"SSH_WAIT_TIME_SECONDS": wait})
    assert container.end(timeout=30) == 6
    errors = [line for line in container.log.splitlines() if "ERROR" in line]
    assert len(errors) == 1, container.log
    assert cause in errors[0]
    assert "hint:" in errors[0]
    assert "trained" in container.log
    assert "Traceback" not in container.log
