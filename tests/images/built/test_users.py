"""Who runs the container, and what they may write: other users than root, no name for the user, a read-only root."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.images.built import family
from tests.images.built.world import World

# All that services write, in an image whose root is read-only; README names them.
TMPFS = ("/run", "/tmp", "/var/lib/amazon", "/etc/amazon")
# The same for an image whose user is not root.
USER = """\
RUN useradd --uid 1000 --create-home --shell /bin/sh trainer \\
 && install -d -o trainer /run/sm-ssh /var/lib/amazon /etc/amazon /etc/amazon/ssm
USER 1000
"""


def tmpfs(*folders: str, owner: int = 0) -> tuple[str, ...]:
    """Return the options that mount empty folders in memory; Docker's own default is noexec."""
    return tuple(word for folder in folders for word in ("--tmpfs", f"{folder}:exec,uid={owner}"))


def test_read_only_root_with_the_folders_that_services_need(world: World) -> None:
    container = world.start("sleep", "300", options=("--read-only", *tmpfs(*TMPFS)))
    container.phase("online")
    done = world.login("sh", "-c", "id -un; touch /tmp/file && echo a file; touch /file 2>/dev/null || echo read-only")
    assert done.stdout == "root\na file\nread-only\n", done.stderr
    assert container.inside("/opt/sm-ssh/bin/sm-ssh-entry", "health").startswith("online mi-")


def test_a_folder_of_the_agent_that_executes_nothing_is_told(world: World) -> None:
    world.allow("is mounted noexec")
    container = world.start("sleep", "300", options=("--tmpfs", "/var/lib/amazon"))
    container.phase("online")
    assert container.log.count("WARNING /var/lib/amazon/ssm is mounted noexec: no Run Command") == 1
    done = world.login("true")
    assert done.returncode == 22
    assert "SSH_AUTHORIZED_KEYS" in done.stderr


def test_the_images_own_user_logs_in_as_that_user(world: World, derive: Callable[[str, str], str]) -> None:
    container = world.start("sleep", "300", image=derive(world.image, USER))
    container.phase("online")
    done = world.machine.run("connect", world.host, "-l", "trainer", "--", "id -un; pwd; cat /proc/1/comm")
    assert done.stdout == "trainer\n/home/trainer\nsleep\n", done.stderr


def test_the_images_own_user_has_port_2222(world: World, derive: Callable[[str, str], str]) -> None:
    # A network of its own, where the port is free; nothing to register with there, so this node has sshd only.
    env = {"SSH_PORT": "", "SSH_INSTANCE_COUNT": "0"}
    container = world.start("sleep", "300", image=derive(world.image, USER), env=env, options=("--network", "none"))
    assert container.phase("sshd-only")["port"] == 2222


def test_root_has_port_22(world: World) -> None:
    env = {"SSH_PORT": "", "SSH_INSTANCE_COUNT": "0"}
    container = world.start("sleep", "300", env=env, options=("--network", "none"))
    assert container.phase("sshd-only")["port"] == 22


def test_the_images_own_user_on_a_read_only_root(world: World, derive: Callable[[str, str], str]) -> None:
    options = ("--read-only", *tmpfs(*TMPFS, owner=1000))
    container = world.start("sleep", "300", image=derive(world.image, USER), options=options)
    container.phase("online")
    done = world.machine.run("connect", world.host, "-l", "trainer", "--", "id", "-un")
    assert done.stdout == "trainer\n", done.stderr


@pytest.mark.images(family.BASE_12)
@pytest.mark.parametrize("wait", ["0", "60"])
@pytest.mark.parametrize(
    ("options", "cause"),
    [
        (("--read-only", *tmpfs("/run", "/tmp", "/var/lib/amazon")), "cannot write /etc/amazon/ssm"),
        (("--user", "1:100"), "cannot write /run/sm-ssh"),
        (("--user", "4242:100", *tmpfs("/run", owner=4242)), "user 4242 has no name"),
        (("--cap-drop", "ALL"), "may not set up logins: it lacks SETGID, SETUID, SYS_CHROOT"),
    ],
    ids=["read-only", "other user", "nameless user", "no capabilities"],
)
def test_what_services_cannot_live_with_does_not_harm_the_job(
    world: World, options: tuple[str, ...], cause: str, wait: str
) -> None:
    # Without a wait the command runs beside the set-up, and is still there when that fails. A hold ends at once.
    world.allow(cause)
    command = "sleep 3; echo trained; exit 6" if wait == "0" else "echo trained; exit 6"
    container = world.start("sh", "-c", command, options=options, env={"SSH_WAIT_TIME_SECONDS": wait})
    assert container.end(timeout=180) == 6
    errors = [line for line in container.log.splitlines() if "ERROR" in line]
    assert len(errors) == 1, container.log
    assert "hint:" in errors[0]
    assert "trained" in container.log


def test_tight_limits_do_not_keep_services_from_starting(world: World) -> None:
    limits = ("--ulimit", "nofile=128:128", "--ulimit", "nproc=40:40", "--pids-limit", "40", "--memory", "150m")
    container = world.start("sleep", "300", options=limits)
    container.phase("online")
    assert world.login("sh", "-c", "ulimit -n").stdout == "128\n"
