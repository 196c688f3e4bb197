"""SSH into real containers: held, released, held after a failure, idle, deregistered; what logins leave behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.images.built import engine
from tests.images.built.engine import Container
from tests.images.built.world import World
from tests.waiting import wait_until

LOGINS = 100
# A client that is killed before its last word is out counts as vanished: the plane ends its session 90 s later.
SETTLED_SECONDS = 180


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
    container = world.start("sleep", "300")
    container.phase("online")
    assert world.login("true").returncode == 0

    ours = ("sm_ssh_entry.boot.supervise", "sshd: /usr/sbin/sshd", "amazon-ssm-agent")

    def only_services() -> list[str]:
        found = services(container)
        return found if all(any(name in one for name in ours) for one in found) else []

    before = wait_until(only_services, SETTLED_SECONDS, every=0.1, what="only the services are there")
    # A few through the plane, which costs a second of processor time each; the others straight to sshd.
    with ThreadPoolExecutor(4) as pool:
        ways = [world.login] * 4 + [world.straight] * (LOGINS - 4)
        statuses = list(pool.map(lambda n: ways[n]("sh", "-c", f"exit {n}").returncode, range(LOGINS)))
    assert statuses == list(range(LOGINS))
    wait_until(
        lambda: 0 < len(only_services()) <= len(before), SETTLED_SECONDS, every=0.1, what="only the services are left"
    )
    assert [words for state, words in container.processes() if state.startswith("Z")] == []


def test_failed_command_is_held_until_sm_wait_stop(world: World) -> None:
    container = world.start("sh", "-c", "echo oops; exit 9", env={"SSH_HOLD_ON_FAILURE_SECONDS": "300"})
    wait_until(lambda: container.phase("online").get("job") == "failed", 90)
    assert world.login("cat", "/proc/1/comm").returncode == 0
    assert world.login("sm-wait", "stop").returncode == 0
    assert container.end() == 9


def test_end_of_the_hold_closes_the_logins(world: World) -> None:
    # The far end of a connection that nobody closes would wait for two minutes.
    container = world.start("sh", "-c", "exit 9", env={"SSH_HOLD_ON_FAILURE_SECONDS": "300"})
    container.phase("online")
    with ThreadPoolExecutor() as pool:
        login = pool.submit(world.login, "sh", "-c", "touch /tmp/in; exec sleep 300")
        wait_until(lambda: "in" in container.inside("ls", "/tmp").split(), 90, every=0.1, what="logged in")
        container.inside("/opt/sm-ssh/bin/sm-wait", "stop")
        assert container.end() == 9
        done = login.result(timeout=180)
    assert done.returncode != 0
    # ssh hears of it by either word, as it is reading or writing at that moment.
    assert "closed by remote host" in done.stderr or "Broken pipe" in done.stderr


def test_idle_container_ends(world: World) -> None:
    # Nobody asks it anything meanwhile: on a slow machine it may end while the question is on its way.
    container = world.start("sh", "-c", "sleep 300; :", env={"SSH_IDLE_TIMEOUT_SECONDS": "4"})
    assert container.end() == 143
    assert "Successfully registered" in container.log
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


def test_login_works_on_after_the_container_was_started_again(world: World) -> None:
    # A notebook instance that was stopped, a container that is restarted: the node and its host key are the same, and
    # so the laptop has no reason to bring its key again.
    container = world.start("sleep", "300")
    node = container.phase("online")["node_id"]
    assert world.login("true").returncode == 0
    engine.docker("restart", "--time", "1", container.name)
    wait_until(lambda: container.log.count(node) == 2, 90, every=0.1, what="registered again")
    assert container.phase("online")["node_id"] == node
    done = world.login("true")
    assert done.returncode == 0, done.stderr
