"""Debugging in real containers: as their own user, as process 1 and not, in full images and thin ones."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.images.built import family
from tests.images.built.test_users import USER
from tests.images.built.world import World
from tests.waiting import wait_until

# Two ranks that wait for one another; what the environment and the command line hold is nobody's business.
TRAIN = """\
COPY --chown=1000 <<'TRAIN' /home/trainer/train.py
import os, threading
lock = threading.Lock()
lock.acquire()
def all_reduce(token):
    lock.acquire()
os.fork()
os.write(1, b"stuck\\n")
all_reduce("hunter2")
TRAIN
ENV PYTHONPATH=/nowhere PYTHONSTARTUP=/nowhere/startup.py
WORKDIR /home/trainer
"""
COMMAND = ("python3", "train.py", "--token", "hunter2")


@pytest.mark.images(family.TRAINING)
def test_ranks_of_the_images_own_user_and_the_command_again(world: World, derive: Callable[[str, str], str]) -> None:
    image = derive(world.image, USER + TRAIN)
    container = world.start(*COMMAND, image=image, env={"SSH_HOLD_ON_FAILURE_SECONDS": "600"})
    container.phase("online")
    wait_until(lambda: container.log.count("stuck\n") == 2, 60, what="two ranks")
    me = f"trainer@{world.host}"
    # Plain, and in a login that has little: the job's variables and PATH must not be needed.
    for line in ("sm-ssh-entry dump", "env -i /opt/sm-ssh/bin/sm-ssh-entry dump --native"):
        done = world.machine.run("run", me, "--", line)
        assert done.returncode == 0, done.stderr
        assert len(re.findall(r"^process \d+: python3 train.py$", done.stdout, re.MULTILINE)) == 2, done.stdout
        assert len(re.findall(r"^    all_reduce \(train.py:5\)$", done.stdout, re.MULTILINE)) == 2, done.stdout
        assert "hunter2" not in done.stdout + done.stderr
    done = world.machine.run("rerun", me)
    assert (done.returncode, "the job's own command is running" in done.stderr) == (2, True), done.stderr
    done = world.machine.run("run", me, "--", "sed -i 's/^all_reduce.*/os.write(1, os.getcwd().encode())/' train.py")
    assert done.returncode == 0, done.stderr
    done = world.machine.run("rerun", "--stop-first", "--finish", me)
    assert done.returncode == 0, done.stderr
    assert (done.stdout.count("stuck"), done.stdout.count("/home/trainer")) == (2, 2)
    assert container.end() == 0
    assert "the command failed with 143; the container stays for 600 s" in container.log
    assert "sm-ssh rerun --finish: the job ends with 0 instead of 143" in container.log


@pytest.mark.images(family.BASE_12)
def test_held_as_process_1_then_run_as_it_and_not_to_be_looked_into(world: World) -> None:
    # Held in exec mode. Its own command drops to another user, whom root without capabilities may not look into.
    command = "import time; time.sleep(300)"
    words = ("setpriv", "--reuid", "65534", "--clear-groups", "/usr/bin/python3.11", "-c", command)
    container = world.start(*words, env={"SSH_WAIT_TIME_SECONDS": "600"})
    container.phase("online")
    done = world.login("sm-ssh-entry", "dump")
    assert (done.returncode, "the job's command does not run" in done.stderr) == (10, True), done.stderr
    done = world.machine.run("rerun", world.host, "--", "sh", "-c", "tr '\\0' ' ' </proc/1/cmdline; exit 3")
    assert (done.returncode, "sm_ssh_entry.boot.job -- setpriv" in done.stdout) == (3, True), done.stderr
    assert world.login("sm-wait", "stop").returncode == 0
    container.saw("sm-wait stop: starting the command")
    done = world.login("sm-ssh-entry", "dump")
    assert done.returncode == 16, done.stdout + done.stderr
    assert done.stdout.startswith("process 1: python3.11 -c\n  may not look into process 1")
    assert "SYS_PTRACE" in done.stderr
    done = world.machine.run("rerun", "--beside", world.host, "--", "echo beside; exit 4")
    assert (done.returncode, done.stdout) == (4, "beside\n"), done.stderr


@pytest.mark.images(family.THIN_12, family.THIN_13)
def test_py_spy_is_in_thin_images_and_on_nobodys_path(world: World) -> None:
    world.allow("the job has no Python process")
    script = "command -v py-spy; /opt/sm-ssh/libexec/py-spy --version; sm-ssh-entry dump"
    done = world.run("sh", "-c", script, env={"START_SSH": "false"})
    assert (done.returncode, done.stdout[:9]) == (10, "py-spy 0."), done.stderr
    assert done.stderr == "[sm-ssh] ERROR the job has no Python process (hint: is the command Python?)\n"
